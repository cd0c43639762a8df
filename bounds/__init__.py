"""Generalization bounds for selective state-space models: symbolic statements and certified numbers."""

from typing import Any


def __getattr__(name: str) -> Any:
    # at first use: what only asks for help starts without numpy
    if name == "sweep":
        from ssm_bounds.bounds.sweeps import sweep

        return sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
