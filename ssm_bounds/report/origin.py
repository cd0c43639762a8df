"""Where a report comes from: the tool, the file, and what is known of it, under the same keys in every document."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from ssm_bounds.evidence import Fact
from ssm_bounds.inquiry import Model


def head(schema: int) -> dict[str, Any]:
    """How a document begins."""
    return {"schema": schema, "tool": {"name": "ssm-bounds", "version": version("ssm-bounds")}}


def file(checkpoint: Model) -> dict[str, Any]:
    return {"path": str(checkpoint.path), "format": checkpoint.format, "sha256": checkpoint.sha256}


def told(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    return [{"name": fact.name, "value": fact.value, "evidence": fact.evidence.value} for fact in facts]


def words(facts: Sequence[Fact]) -> str:
    """The same in a line."""
    return "; ".join(f"{fact.name} = {fact.value} ({fact.evidence.value})" for fact in facts)
