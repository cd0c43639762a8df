"""The page about the JSON document, printed from its schema: ``python -m ssm_bounds.report.pages docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssm_bounds.report.document import schema
from ssm_bounds.report.table import Table


def json_page() -> str:
    """Markdown: what every key of ``--format json`` means."""
    found = schema()
    lines = [
        "# The JSON document",
        "",
        "<!-- Printed by `make pages` from ssm_bounds/report/schema.json; do not edit. -->",
        "",
        found["description"],
        "",
        "Validate with the schema itself: `ssm_bounds.report.document.schema()`, or `ssm_bounds/report/schema.json`. "
        "The same document is inside every HTML page.",
    ]
    sections = {"the document": found, **found["$defs"]}
    for name in ("the document", "certificate", "headline", "rung", "tally"):
        table = Table(("key", "type", "meaning"), list(_rows(sections[name]["properties"])))
        lines += ["", f"## {name[0].upper()}{name[1:]}", "", *table.markdown().splitlines()]
    lines += ["", "## Words", ""]
    lines += [f"- **{name}**: {found['$defs'][name]['description']}" for name in ("verdict", "kind", "number")]
    return "\n".join(lines) + "\n"


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
    (Path(sys.argv[1]) / "json.md").write_text(json_page(), encoding="utf-8")
