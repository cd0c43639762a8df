"""The pages about the JSON documents, printed from their schemas: ``python -m ssm_bounds.report.pages docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ssm_bounds.inspection import NOT_CLAIMED
from ssm_bounds.report.document import schema
from ssm_bounds.report.table import Table

_INSPECT = """\
    ssm-bounds inspect mamba-130m-hf/ --T 2048 --format json --out report.json
    ssm-bounds inspect mamba-130m-hf/ --data tokens.npz --T 2048     # what these tokens did, beside what is certain
    ssm-bounds inspect mamba_al.npz --map docs/examples/typeseg.toml --T 1024 --format html --out typeseg.html
    ssm-bounds inspect mamba-2.8b-hf/ --jobs 4 --format json --out report.json

`--format html` is one page without a network or a script that runs: the table, what was assumed and left out, and a
figure of the memory of every channel, the gates, and the published supremum against the sharp one. What is not finite
or not defined has a mark of its own. This document is inside it, without the arrays by channel.

`--data FILE` takes an `.npz` with `x_train` or `x`, (m, T) integers, and perhaps `lengths`, (m,): tokens behind them
are padding. It runs the model in float64 as far as its layers are all Mamba, and fills `measured`. A row longer than
`--T`, a token that the vocabulary lacks, a file without an embedding: refused. What is measured bounds nothing.

`--jobs N` takes N layers at once, each with as much memory as one takes alone; the report is the same, byte for byte.
In Python, `ssm_bounds.inspect(path, executor=...)` takes any `concurrent.futures.Executor`.

The first layer of a model of tokens is bounded over the rows of its embedding (theory M1.6), if the file holds them and
nothing else comes before; its notes say so. Inputs that are no row of it, `inputs_embeds`, are then not covered there.\
"""


def pages() -> dict[str, str]:
    """File name to text: what every key of a JSON document means."""
    certificates = [
        *_head("The JSON document", "schema.json", schema()),
        "Validate with the schema itself: `ssm_bounds.report.document.schema()`, or `ssm_bounds/report/schema.json`. "
        "The same document is inside every HTML page.",
        *_sections(schema(), ("certificate", "headline", "beside", "rung", "tally")),
        "",
        "## Words",
        "",
        *(f"- **{name}**: {schema()['$defs'][name]['description']}" for name in ("verdict", "kind", "number")),
    ]
    layers = [
        *_head("The JSON document of inspect", "inspect.json", schema("inspect.json")),
        "Validate with the schema itself: `ssm_bounds/report/inspect.json`.",
        "",
        "## Examples",
        "",
        *_INSPECT.splitlines(),
        *_sections(schema("inspect.json"), ("model", "layer", "measured")),
        "",
        "## What is not said",
        "",
        *(f"- {line}" for line in NOT_CLAIMED),
    ]
    return {name: "\n".join(lines) + "\n" for name, lines in (("json.md", certificates), ("inspect.md", layers))}


def _head(title: str, name: str, found: dict[str, Any]) -> list[str]:
    printed = f"<!-- Printed by `make pages` from ssm_bounds/report/{name}; do not edit. -->"
    return [f"# {title}", "", printed, "", found["description"], ""]


def _sections(found: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    """A table of keys for the document, and for each of its parts."""
    for name, part in (("the document", found), *((name, found["$defs"][name]) for name in names)):
        table = Table(("key", "type", "meaning"), list(_rows(part["properties"])))
        yield from ("", f"## {name[0].upper()}{name[1:]}", "", *table.markdown().splitlines())


def _rows(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, entry in properties.items():
        yield f"`{prefix}{name}`", _type(entry), entry.get("description", "")
        inner = next((part for part in _parts(entry) if "properties" in part), None)
        if inner is not None and len(inner["properties"]) < 8:
            yield from _rows(inner["properties"], f"{prefix}{name}.")


def _parts(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema itself, its alternatives, and the schema of its items."""
    return [entry, *entry.get("anyOf", ()), *([entry["items"]] if "items" in entry else [])]


def _type(entry: dict[str, Any]) -> str:
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(map(_type, entry["anyOf"])))
    if "$ref" in entry:
        return str(entry["$ref"]).rpartition("/")[2]
    if "enum" in entry:
        return ", ".join(map(str, entry["enum"]))
    if "const" in entry:
        return str(entry["const"])
    if entry.get("type") == "array":
        return f"list of {_type(entry['items'])}"
    found = entry.get("type", "object")
    return " or ".join(found) if isinstance(found, list) else str(found)


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
