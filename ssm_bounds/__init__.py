"""How far can the test performance of a trained selective state-space model be from its training performance?

>>> import ssm_bounds
>>> question = ssm_bounds.ask("model.safetensors", data="train.npz", gate="softplus")  # doctest: +SKIP
>>> print(ssm_bounds.certify(question).headline)  # doctest: +SKIP
CERTIFIED: With probability at least 0.95 over the 1000 training rows, the error rate of the model ...

``ask`` holds a file, what you state and the data together: every fact with its evidence. ``certify`` answers with the
ladder of bounds and a headline that says only what is known; ``explain`` says which norm to shrink, ``sweep`` how the
bounds scale (float64, not certified). ``read`` gives the weights of a checkpoint; ``BoundMonitor`` logs what a bound
depends on in a training loop of yours. The command ``ssm-bounds`` asks the same questions.

Imported names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssm_bounds.certificate import Certificate, Headline, certify
    from ssm_bounds.explanation import explain, sweep
    from ssm_bounds.models.files.checkpoint import Checkpoint, read
    from ssm_bounds.models.training.monitor import BoundMonitor
    from ssm_bounds.question import Evidence, Fact, Question, Search, ask, ask_each, read_data

    __version__: str

_HOMES = {
    "BoundMonitor": "ssm_bounds.models.training.monitor",
    "Certificate": "ssm_bounds.certificate",
    "Checkpoint": "ssm_bounds.models.files.checkpoint",
    "Evidence": "ssm_bounds.question",
    "Fact": "ssm_bounds.question",
    "Headline": "ssm_bounds.certificate",
    "Question": "ssm_bounds.question",
    "Search": "ssm_bounds.question",
    "ask": "ssm_bounds.question",
    "ask_each": "ssm_bounds.question",
    "certify": "ssm_bounds.certificate",
    "explain": "ssm_bounds.explanation",
    "read": "ssm_bounds.models.files.checkpoint",
    "read_data": "ssm_bounds.question",
    "sweep": "ssm_bounds.explanation",
}
__all__ = [
    "BoundMonitor",
    "Certificate",
    "Checkpoint",
    "Evidence",
    "Fact",
    "Headline",
    "Question",
    "Search",
    "ask",
    "ask_each",
    "certify",
    "explain",
    "read",
    "read_data",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ssm-bounds")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
