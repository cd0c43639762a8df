"""``torch.compile`` as an option: eager code is the truth, compiled code an optimisation that may be absent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed


def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f`` (a function or an ``nn.Module``) compiled, or ``f`` itself after one warning where nothing can be compiled.

    ``torch.compile`` needs a C++ compiler and Python's headers, and finds out at the first call.
    Errors in ``f`` are raised, never hidden. A new sequence length compiles again (seconds).
    """
    run = torch.compile(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal run
        try:
            return run(*args, **kwargs)
        except BackendCompilerFailed as error:
            reason = str(error).strip().splitlines()[0]
            warnings.warn(f"torch.compile is not available here, running eagerly: {reason}", stacklevel=2)
            run = f
            return f(*args, **kwargs)

    return call
