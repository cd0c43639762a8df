"""How far can the test performance of a trained selective state-space model be from its training performance?

Ask about a file and its data, and certify. In ``notebooks``, where these two files lie::

    import ssm_bounds
    question = ssm_bounds.ask("majority.safetensors", data="majority.npz")
    print(ssm_bounds.certify(question).headline)

    CERTIFIED: With probability at least 0.95 over the 5000 training rows and the 5000 test rows,
    ... on new rows from the training distribution is at most 0.02608.

A headline says only what is known, and under which conditions; a ladder of bounds argues for it. Every
number that is certified is the upper end of an enclosure, the same on every machine.

What to call, and what it gives:

    read          the weights in a file, which is read as data: no code in it runs
    read_data     training and test rows, read once for several questions
    ask           a question: the file, what you state and the data, every fact with its evidence
    ask_each      the same about several models, which share the delta of one test set
    certify       the answer to a question: its headline and its ladder
    inspect       what every layer of a Mamba can do over all inputs: gates, memory, suprema
    explain       which norm to shrink, and what more data buys
    compare       gaps of other architectures at equal constants, beside a model at its own norms
    sweep         a rung over grids of m, T, delta, the margin or constants: float64, not certified
    BoundMonitor  a log of what a bound depends on, epoch by epoch, in a training loop of yours

What these take and give:

    Checkpoint    what ``read`` gives: weights, and what the file records
    Question      what ``ask`` gives
    Fact          one thing that is known of the model, the sample or the past
    Evidence      how a fact is known: checked, recorded, stated, assumed or contradicted
    Search        which rungs search with the training data, for ``ask``
    Certificate   what ``certify`` gives
    Headline      its one line: a sentence, a value and a verdict
    ModelReport   what ``inspect`` gives: what was read, assumed and left out, and the layers
    LayerReport   one layer of it; None for what is not finite, with a note

``help(ssm_bounds.ask)`` lists what can be stated. The command ``ssm-bounds`` asks the same questions.
Each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssm_bounds.asking import ask, ask_each
    from ssm_bounds.certificate import Certificate, Headline, certify
    from ssm_bounds.comparison import compare
    from ssm_bounds.data import read_data
    from ssm_bounds.evidence import Evidence, Fact
    from ssm_bounds.explanation import explain, sweep
    from ssm_bounds.inquiry import Search
    from ssm_bounds.inspection import LayerReport, ModelReport, inspect
    from ssm_bounds.models.files.checkpoint import Checkpoint, read
    from ssm_bounds.models.training.monitor import BoundMonitor
    from ssm_bounds.question import Question

    __version__: str

_HOMES = {
    "BoundMonitor": "ssm_bounds.models.training.monitor",
    "Certificate": "ssm_bounds.certificate",
    "Checkpoint": "ssm_bounds.models.files.checkpoint",
    "Evidence": "ssm_bounds.evidence",
    "Fact": "ssm_bounds.evidence",
    "Headline": "ssm_bounds.certificate",
    "LayerReport": "ssm_bounds.inspection",
    "ModelReport": "ssm_bounds.inspection",
    "Question": "ssm_bounds.question",
    "Search": "ssm_bounds.inquiry",
    "ask": "ssm_bounds.asking",
    "ask_each": "ssm_bounds.asking",
    "certify": "ssm_bounds.certificate",
    "compare": "ssm_bounds.comparison",
    "explain": "ssm_bounds.explanation",
    "inspect": "ssm_bounds.inspection",
    "read": "ssm_bounds.models.files.checkpoint",
    "read_data": "ssm_bounds.data",
    "sweep": "ssm_bounds.explanation",
}
__all__ = [
    "BoundMonitor",
    "Certificate",
    "Checkpoint",
    "Evidence",
    "Fact",
    "Headline",
    "LayerReport",
    "ModelReport",
    "Question",
    "Search",
    "ask",
    "ask_each",
    "certify",
    "compare",
    "explain",
    "inspect",
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
