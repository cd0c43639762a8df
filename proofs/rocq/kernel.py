"""Coq's kernel on the theorems that statements name: compile, compare with the claims, and read what they rest on.

The claims are printed afresh from the statements, whatever ``claims.v`` says. Of each theorem the kernel is asked
whether it proves the claim (or concludes the formula), and ``Print Assumptions`` for the axioms below it, which must
be on the list here. Products go to a folder of their own, never beside the sources.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.rocq import claims
from ssm_bounds.proofs.statement import Reading, Statement, Theorem

PACKAGES = "coq libcoq-coquelicot libcoq-interval"
# what Coq's real numbers (Reals, Coquelicot) rest on
REALS = frozenset(
    (
        "ClassicalDedekindReals.sig_forall_dec",
        "ClassicalDedekindReals.sig_not_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    )
)
# machine integers and floats, which the tactic `interval` computes with: types, operations, what they are said to do
_MACHINE = re.compile(r"(PrimInt63|Uint63|PrimFloat|FloatAxioms)\.\w+")
# what would assume, or switch a check off: no file of ours holds one of these words outside of comments
_ASSUMES = re.compile(
    r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjectures?|Hypothes[ie]s|Variables?|Declare|bypass_check|Unset)\b"
)
_SECONDS = 300  # of CPU, a file or a run of the checker
_NAME = "SsmBounds"


class KernelError(DomainError):
    """Coq is missing, or it refuses a file or a theorem."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the kernel said of a theorem: its text as Coq prints it, the axioms below it."""

    theorem: Theorem
    text: str
    axioms: tuple[str, ...]

    @property
    def machine(self) -> bool:
        """Whether it rests on the machine's integers and floats too."""
        return any(_MACHINE.fullmatch(axiom) for axiom in self.axioms)

    @property
    def mark(self) -> str:
        """One phrase that says no more than what was checked."""
        numbers = ", with machine integers and floats" if self.machine else ""
        return f"KERNEL-CHECKED ({self.theorem.reading}: {self.theorem.name}{numbers})"


def coqc() -> str:
    """The compiler. Raises: KernelError where there is none."""
    found = shutil.which("coqc")
    if found is None:
        raise KernelError(f"--kernel needs Coq, and coqc is not on the path: on Debian, apt-get install {PACKAGES}")
    return found


def check(
    chosen: Iterable[Statement],
    build: Path | None = None,
    tell: Callable[[str], None] = lambda name: None,
    each: bool = True,
) -> dict[str, tuple[Checked, ...]]:
    """Label to what the kernel said, for each statement that names a theorem.

    ``build``: an empty folder for what is compiled, else one that goes; ``tell`` hears each file's name before it is
    compiled. ``each``: ask for the axioms of each theorem, about a second each; else of all together, but for those
    of files that compute with Interval, so that an axiom below one counts for all.

    Raises: KernelError.
    """
    named = [statement for statement in chosen if statement.theorems]
    if not named:
        return {}
    coqc()
    with tempfile.TemporaryDirectory(prefix="ssm-bounds-") as away:
        folder = build or Path(away)
        for name in compiled(theorem for statement in named for theorem in statement.theorems):
            tell(name)
            _compile(folder, name, _source(name))
        tell("the theorems")
        bundles = _bundles(named, each)
        _ask(named, bundles, folder)
        axioms = {name: _axioms(bundle, folder) for bundle, names in bundles.items() for name in names}
        found: dict[str, tuple[Checked, ...]] = {}
        for statement, theorem in _pairs(named):
            checked = Checked(theorem, _text(statement, theorem, folder), axioms[theorem.name])
            found[statement.label] = (*found.get(statement.label, ()), checked)
        return found


def compiled(theorems: Iterable[Theorem]) -> list[str]:
    """The files of theorems and those they require, each after what it requires."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for required in required_by(_source(name)):
                visit(required)
            order[name] = None

    for theorem in theorems:
        visit(theorem.name.partition(".")[0])
    return list(order)


def required_by(source: str) -> list[str]:
    """The files of ours that a file requires."""
    lines = re.findall(rf"^From {_NAME} Require (?:Import |Export )?([\w ]+)\.$", source, re.M)
    return [name for line in lines for name in line.split()]


def stated(theorem: Theorem) -> str:
    """The text of a theorem as its file states it. Raises: KernelError where it does not."""
    file, _, name = theorem.name.partition(".")
    found = re.search(rf"^Theorem {re.escape(name)}\b.*?\.(?=\s+Proof\.)", _source(file), re.M | re.S)
    if found is None:
        raise KernelError(f"{file}.v states no theorem {name}")
    return found[0]


def _source(name: str) -> str:
    if name == "claims":
        return claims.text(statements().values())
    return (claims.FOLDER / f"{name}.v").read_text(encoding="utf-8")


def _compile(folder: Path, name: str, source: str) -> str:
    """Write a file into the folder and compile it; what Coq printed. Raises: KernelError."""
    if found := _ASSUMES.search(re.sub(r"\(\*.*?\*\)", "", source, flags=re.S)):
        raise KernelError(f"{name}.v says {found[0]}: the files prove what they state, and assume nothing")
    path = folder / f"{name}.v"
    path.write_text(source, encoding="utf-8")
    command = [coqc(), "-q", "-Q", str(folder), _NAME, "-w", "-all", str(path)]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=3 * _SECONDS,
            preexec_fn=_limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KernelError(f"{name}.v: coqc did not end within {3 * _SECONDS} seconds") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).replace(str(path), path.name).split())
        raise KernelError(f"{name}.v is refused: {said or f'coqc ended with {done.returncode} and said nothing'}")
    return done.stdout


def _cpu() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))


_limit = None if sys.platform == "win32" else _cpu


def _pairs(named: Sequence[Statement]) -> Iterator[tuple[Statement, Theorem]]:
    return ((statement, theorem) for statement in named for theorem in statement.theorems)


def _bundles(named: Sequence[Statement], each: bool) -> dict[str, list[str]]:
    """Names of theorems whose axioms are asked together."""
    bundles: dict[str, list[str]] = {}
    for _, theorem in _pairs(named):
        computes = _computes(theorem.name.partition(".")[0])
        together = "with machine numbers" if computes else "without machine numbers"
        bundles.setdefault(theorem.name if each else together, []).append(theorem.name)
    return bundles


def _ask(named: Sequence[Statement], bundles: Mapping[str, Sequence[str]], folder: Path) -> None:
    """One file of questions for all theorems; each answer goes to a file of its own."""
    files = dict.fromkeys(theorem.name.partition(".")[0] for _, theorem in _pairs(named))
    lines = ["From Coq Require Import Reals.", f"From {_NAME} Require {' '.join(['claims', *files])}."]
    for statement, theorem in _pairs(named):
        full = f"{_NAME}.{theorem.name}"
        if theorem.reading is Reading.CLAIM:
            lines.append(f"Check ({full} : {_NAME}.claims.{claims.module(statement.label)}.claim).")
        lines.append(f'Redirect "{theorem.name}.text" Check {full}.')
    for index, (bundle, names) in enumerate(bundles.items()):
        lines.append(f"Definition bundle_{index} := ({', '.join(f'@{_NAME}.{name}' for name in names)}).")
        lines.append(f'Redirect "{bundle}.axioms" Print Assumptions bundle_{index}.')
    _compile(folder, "probe", "\n".join([*lines, ""]))


def _text(statement: Statement, theorem: Theorem, folder: Path) -> str:
    """A theorem as Coq prints it. Raises: KernelError for one that should conclude the formula, and does not."""
    text = " ".join((folder / f"{theorem.name}.text.out").read_text("utf-8").split())
    if theorem.reading is Reading.FORMULA and not concludes(text, claims.module(statement.label)):
        raise KernelError(f"{theorem.name} does not conclude the formula of {statement.label}: {text}")
    return text


def _axioms(bundle: str, folder: Path) -> tuple[str, ...]:
    """What theorems rest on. Raises: KernelError for what is not on the list."""
    axioms = axioms_in((folder / f"{bundle}.axioms.out").read_text("utf-8"))
    if alien := [axiom for axiom in axioms if axiom not in REALS and not _MACHINE.fullmatch(axiom)]:
        raise KernelError(f"{bundle} rests on {', '.join(alien)}, which nobody may assume")
    return axioms


def concludes(text: str, place: str) -> bool:
    """Whether a type, as Coq prints it, ends in the conclusion of a module of ``claims.v`` and in nothing else.

    >>> concludes("a : forall x : R, 0 < x -> claims.s4_3.conclusion x", "s4_3")
    True
    >>> concludes("a : forall x : R, 0 < x -> claims.s4_3.conclusion x <-> True", "s4_3")
    False
    """
    last = re.split(r"->|, ", text)[-1].strip()
    return re.fullmatch(rf"(\w+\.)*{place}\.conclusion\b[^\\~]*", last) is not None


def axioms_in(said: str) -> tuple[str, ...]:
    """The names in an answer of Print Assumptions. Raises: KernelError for one of another form.

    >>> axioms_in("Closed under the global context")
    ()
    >>> axioms_in("Axioms:\\nClassical_Prop.classic : forall P : Prop, P \\\\/ ~ P")
    ('Classical_Prop.classic',)
    """
    lines = said.strip().splitlines()
    if lines == ["Closed under the global context"]:
        return ()
    if not lines or lines[0] != "Axioms:":
        raise KernelError(f"Print Assumptions answers {said.strip()!r}")
    # a name stands at the start of a line; its type follows, indented where it takes more lines
    return tuple(re.split(r"\s", line, maxsplit=1)[0] for line in lines[1:] if not line[0].isspace())


def counted(found: Mapping[str, Sequence[Checked]]) -> int:
    """How many statements have a theorem that says their claim or their formula."""
    strong = (Reading.CLAIM, Reading.FORMULA)
    return sum(any(checked.theorem.reading in strong for checked in every) for every in found.values())


def recheck(build: Path, every: bool) -> None:
    """Let the independent checker read what was compiled: our files alone, or with all that they require, down to Coq's
    own library (two minutes of CPU). A file that computes with Interval is read alone in any case: at that library's
    own proofs the checker had not ended after nine minutes. Raises: KernelError."""
    names = [path.stem for path in sorted(build.glob("*.vo")) if path.stem != "probe"]
    whole = [name for name in names if every and not _computes(name)]
    if whole:
        _recheck(build, [f"{_NAME}.{name}" for name in whole])
    if alone := [name for name in names if name not in whole]:
        _recheck(build, [part for name in alone for part in ("-norec", f"{_NAME}.{name}")])


def _recheck(build: Path, modules: Sequence[str]) -> None:
    checker = shutil.which("coqchk")
    if checker is None:
        raise KernelError(f"coqchk is not on the path: on Debian, apt-get install {PACKAGES}")
    command = [checker, "-silent", "-Q", str(build), _NAME, *modules]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", preexec_fn=_limit)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise KernelError(f"coqchk refuses: {said or f'it ended with {done.returncode} and said nothing'}")


def _computes(name: str) -> bool:
    """Whether a file proves by interval arithmetic on machine numbers."""
    return "From Interval " in _source(name)


def main(arguments: Sequence[str]) -> None:
    """Check all theorems, and again by the independent checker: ``--all`` lets it start from Coq's own library."""
    with tempfile.TemporaryDirectory(prefix="ssm-bounds-") as away:
        try:
            found = check(statements().values(), Path(away), tell=lambda name: print(f"{name} ...", flush=True))
            recheck(Path(away), "--all" in arguments)
        except KernelError as problem:
            sys.exit(f"ssm-bounds: {problem}")
    for label, every in found.items():
        for checked in every:
            print(f"{label}: {checked.mark}")
    print(f"{counted(found)} statements: claim or formula checked")


if __name__ == "__main__":
    main(sys.argv[1:])
