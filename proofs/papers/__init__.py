"""Statements of papers, as we read them: a folder for each, which says its PAPER."""

from __future__ import annotations

import importlib
import pkgutil

from ssm_bounds.proofs.paper import Paper


def papers() -> tuple[Paper, ...]:
    """Every paper that is read, by its folder."""
    folders = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg)
    return tuple(importlib.import_module(f"{__name__}.{folder}").PAPER for folder in folders)
