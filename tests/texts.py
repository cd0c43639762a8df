"""A small language model, and documents that it can learn: words of a small language, each a fixed spelling."""

from __future__ import annotations

import json

import numpy as np

from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.tasks.symbols import NAME, English

V = English().size
DESIGN = Design(V=V, outputs=V, D=16, N=8, k=2, expand=1, final_norm=True, pooling="none")
T = 16
_WORDS = ("abba", "cede", "fig", "hi")


def texts(m, seed=0, words=_WORDS):
    """Documents of one to four words."""
    rng = np.random.default_rng(seed)
    return [" ".join(words[i] for i in rng.integers(0, len(words), rng.integers(1, 5))) for _ in range(m)]


def write(path, documents):
    path.write_text("".join(json.dumps({"text": each}) + "\n" for each in documents))
    return path


def folder(path, seed=0, design=DESIGN, symbols=NAME, training=None):
    """A language model as its training starts."""
    tensors = {name: value.astype(np.float32) for name, value in narrowed(start(design, seed)).items()}
    path.mkdir(exist_ok=True)
    training = {"T": T} if training is None else training
    files.write(path, design, tensors, symbols=symbols, seed=seed, training=training)
    return path
