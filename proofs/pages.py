"""The pages that are printed from objects: every statement, what none of them claims, every symbol.

``python -m ssm_bounds.proofs.pages docs`` writes them. Verdicts are those recorded; the tests, and ``ssm-bounds
verify``, decide them anew.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import sympy

from ssm_bounds.bounds import notation
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.notation import NOTATION, Notation
from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.papers import papers
from ssm_bounds.proofs.rocq.kernel import stated
from ssm_bounds.proofs.solvers import Assumed, Axiom
from ssm_bounds.proofs.statement import Reading, Statement, Theorem, Verdict

_MADE = "<!-- Printed from the objects by `python -m ssm_bounds.proofs.pages docs`: edit those, not this page. -->"
_MEANING = {
    Verdict.PROVED: "every step is decided by a solver",
    Verdict.PROVED_FROM_AXIOMS: "every step is decided by a solver or is a cited classical fact",
    Verdict.CHECKED: "a step rests on a citation that is not a classical fact, or on numbers",
    Verdict.REFUTED: "the counterexample violates the claim, in ball arithmetic",
    Verdict.REPAIRED: "refuted, and another statement takes its place",
}


def pages() -> dict[str, str]:
    """File name to Markdown text, for every page."""
    known = statements()
    return {
        "ledger.md": ledger(known),
        "not-claimed.md": not_claimed(known),
        "notation.md": symbols(),
    }


def ledger(known: Mapping[str, Statement]) -> str:
    """Every statement: claim, hypotheses, source, verdict, and because of what."""
    counts = Counter(statement.recorded for statement in known.values())
    order = list(Reading)
    strongest = Counter(min((t.reading for t in s.theorems), key=order.index) for s in known.values() if s.theorems)
    lines = [
        _MADE,
        "# Ledger",
        "",
        "Every statement of `proofs/`: ours, and those of papers as we read them (labels `paper:...`). "
        "`ssm-bounds verify LABEL` decides one again; with `--format markdown` it prints the derivation. "
        "What is not claimed: [not-claimed.md](not-claimed.md). Letters: [notation.md](notation.md).",
        "",
        *(f"- `{paper.key}`: {plain(str(paper))}; read: {plain(paper.read)}" for paper in papers()),
        "",
        *_table(("verdict", "statements", "meaning"), [(v, str(counts[v]), _MEANING[v]) for v in Verdict if counts[v]]),
        "",
        "The kernel of Coq checks theorems about some of them (files in `proofs/rocq`). `ssm-bounds verify --kernel` "
        "compiles them, compares them with the claims as they are printed from the statements, and reads the axioms "
        "below them: those of Coq's real numbers, and machine integers and floats for a theorem that is marked so. "
        "Lines that begin with Kernel say which text was checked. Whether a formula means what the prose around it "
        "says is for people to read, and so is every text that is shown as Coq.",
        "",
        *_table(("kernel", "statements", "a theorem"), [(r, str(strongest[r]), _STRONGEST[r]) for r in Reading]),
        "",
        *_table(
            ("label", "statement", "verdict"),
            [(_link(s.label), plain(s.title), plain(verdict(s))) for s in known.values()],
        ),
    ]
    for s in known.values():
        lines += ["", f"## {s.label}", "", f"{plain(s.title)}. **{plain(verdict(s))}**", "", *display(s.claim), ""]
        lines += [f"- Hypothesis: {inline(h)}" for h in s.hypotheses]
        lines += [f"- Hypothesis: {plain(text)}" for text in s.prose]
        lines += [f"- Source: {plain(s.source)}", f"- Because: {_because(s)}"]
        if s.not_claimed:
            lines.append(f"- Not claimed: {plain(' '.join(s.not_claimed))}")
        lines += [line for theorem in s.theorems for line in _kernel(theorem)]
    return page(lines)


def not_claimed(known: Mapping[str, Statement]) -> str:
    """What the statements leave open, each under the statement that it belongs to."""
    lines = [
        _MADE,
        "# Not claimed",
        "",
        "What the statements of the [ledger](ledger.md) do not say, although a reader may take them to.",
        "",
        "Outside of Coq's kernel: every statement without a line that begins with Kernel; wherever a statement cites "
        "them, Hoeffding's, McDiarmid's, Markov's and Dudley's inequalities, Maurey's lemma, symmetrisation, the union "
        "bound over countably many events and everything else about probability; and the programs.",
    ]
    for s in known.values():
        if s.not_claimed:
            lines += ["", f"## {s.label}", "", f"{plain(s.title)} ([claim](ledger.md#{anchor(s.label)}))", ""]
            lines += [f"- {plain(text)}" for text in s.not_claimed]
    return page(lines)


def symbols() -> str:
    """Every symbol under the headings of ``bounds/notation.py``, and what the derived ones stand for."""
    lines = [_MADE, "# Notation", "", "Every symbol of the bounds, once. In code: `bounds.notation`."]
    for heading, entries in by_heading().items():
        rows = [
            (f"$`{e.latex}`$", f"`{name}`", plain(e.meaning), plain(e.unit), plain(e.source))
            for name, e in entries.items()
        ]
        lines += ["", f"## {heading}", "", *_table(("symbol", "in code", "meaning", "unit", "source"), rows)]
    lines += ["", "## What derived symbols stand for", ""]
    for symbol, definition in DEFINITIONS.items():
        lines += [*display(sympy.Eq(symbol, definition, evaluate=False)), ""]
    return page(lines)


def by_heading() -> dict[str, dict[str, Notation]]:
    """The symbols by heading and name: the headings are the comments that start a line of ``bounds/notation.py``."""
    named = {value: name for name, value in vars(notation).items() if isinstance(value, sympy.Symbol)}
    headings: dict[str, dict[str, Notation]] = {}
    places = {named[entry.symbol]: entry for entry in NOTATION.values()}
    for line in inspect.getsource(notation).splitlines():
        if line.startswith("# "):
            headings[line[2:]] = {}
        elif (found := re.match(r"(\w+) = _", line)) and found[1] in places:
            headings[list(headings)[-1]][found[1]] = places[found[1]]
    return headings


def verdict(s: Statement) -> str:
    return f"{s.recorded}, by {s.repaired_by}" if s.repaired_by else str(s.recorded)


def _because(s: Statement) -> str:
    if s.counterexample is not None:
        return f"Counterexample: {plain(s.counterexample.description)}"
    steps = [step.by for step in s.derivation]
    methods = dict.fromkeys(by.method for by in steps if not isinstance(by, Axiom | Assumed))
    cited = dict.fromkeys(f"{by.name} ({by.citation})" for by in steps if isinstance(by, Axiom))
    parts = {
        "Decided by": methods,
        "Cited:": cited,
        "Assumed:": [by.citation for by in steps if isinstance(by, Assumed)],
    }
    return ". ".join(f"{name} {plain('; '.join(found))}" for name, found in parts.items() if found)


_STRONGEST = {
    Reading.CLAIM: "proves the claim, printed from its formulas, for all values of its letters",
    Reading.FORMULA: "concludes the printed formula, for letters that it binds to sums and vectors",
    Reading.GENERAL: "is stated by hand alone: a special case, or what follows from premises about probability",
}
_READ = {
    Reading.CLAIM: "proves the claim above, for all values of its letters under the hypotheses that are formulas.",
    Reading.FORMULA: "concludes the formula above, for letters that it binds to sums and vectors itself:",
    Reading.GENERAL: "is stated by hand:",
}


def _kernel(theorem: Theorem) -> list[str]:
    """Which text Coq's kernel checks, and where that was written by hand, the text."""
    file, _, name = theorem.name.partition(".")
    lines = [f"- Kernel ({theorem.reading}): `{name}` of `proofs/rocq/{file}.v` {_READ[theorem.reading]}"]
    return lines if theorem.reading is Reading.CLAIM else [*lines, "", "```coq", stated(theorem), "```", ""]


def page(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _link(label: str) -> str:
    return f"[{label}](#{anchor(label)})"


def anchor(label: str) -> str:
    """The anchor that GitHub gives a heading: lower case, blanks to hyphens, punctuation dropped."""
    return re.sub(r"[^\w\- ]", "", label.lower()).replace(" ", "-")


def plain(text: str) -> str:
    """Plain text for Markdown: no character of it is markup, in a table or out of one."""
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", str(text))


def latex(formula: sympy.Basic) -> str:
    return str(sympy.latex(formula)).replace(r"\operatorname", r"\mathrm")


def display(formula: sympy.Basic) -> list[str]:
    """A block in which Markdown leaves backslashes and underscores alone; one line for each part of a conjunction."""
    parts = formula.args if isinstance(formula, sympy.And) else (formula,)
    return ["```math", r" \\ ".join(latex(part) for part in parts), "```"]


def inline(formula: sympy.Basic) -> str:
    return f"$`{latex(formula)}`$"


def write_pages(folder: Path) -> None:
    """Write every page. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
