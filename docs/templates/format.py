"""A code base that names its tensors in its own way: a start for an entry of ``models/files/checkpoint.py``."""

from ssm_bounds.models.files.checkpoint import Format

FORMAT = Format(
    "example",
    {
        "A": "mixer.A",
        "W_B": "mixer.B_proj.weight",
        "W_C": "mixer.C_proj.weight",
        "q": "mixer.dt_proj.weight",
        "p": "mixer.dt_proj.bias",
        "W": "head.weight",
        "embedding": "embed.weight",
    },
    readout="kd",
    optional=frozenset({"embedding"}),
)
