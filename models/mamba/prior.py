"""Where the prior over a block's tables is centred: at a start that a number decides, or at what every block has.

Masses are fixed before the data: 1/2 for the standard centre, 1/4 for the start of seed 0, 1/4 shared equally by the
other seeds below 2^16. So any of them may be taken afterwards, at ln of one over its mass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from ssm_bounds.bounds.architectures.mamba import heads, last
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.architectures.mamba.telescope import OF_TOKENS
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.elementary import log
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.last import center
from ssm_bounds.models.mamba.tables import middle, mixer, one_layer, tables
from ssm_bounds.models.mamba.tables2 import mixer2, tables2
from ssm_bounds.models.mamba.weights import Array, Mamba1, Mamba2

SEEDS = 2**16
_STEP = -4.6  # softplus of it is about 0.01, between the steps that blocks start from


def prior(classifier: Classifier) -> tuple[dict[str, Array], Enclosure, str]:
    """theta_0 of each block, what its choice costs in nats, and what it is in words.

    What reads out (Om or omega, and rho) has centre 0 in any case: it is measured in units of a margin that is chosen
    with the data.
    """
    made, of_readout = _blocks(classifier)
    seed = classifier.seed
    if seed is None or seed >= SEEDS or classifier.start is None:
        return _standard(classifier), _nats(Fraction(1, 2)), "the standard centre"
    mass = Fraction(1, 4) if seed == 0 else Fraction(1, 4 * (SEEDS - 1))
    found = middle(made(_started(classifier, classifier.start)))
    return found | {name: np.zeros_like(found[name]) for name in of_readout}, _nats(mass), f"the start of seed {seed}"


def around(base: Classifier) -> dict[str, Array]:
    """theta_0 of the last block of a model that was there before the data; what reads it out has centre 0."""
    found = middle(center(base))
    return found | {name: np.zeros_like(found[name]) for name in last.OF_READOUT}


Blocks: TypeAlias = Callable[[Classifier], Mapping[str, Range]]


def _blocks(classifier: Classifier) -> tuple[Blocks, tuple[str, ...]]:
    """What a posterior of this classifier is around, and what of it reads out."""
    if classifier.embedding is None:
        return center, last.OF_READOUT
    return (tables2, heads.OF_READOUT) if _is_mamba2(classifier) else (tables, OF_TOKENS)


def _is_mamba2(classifier: Classifier) -> bool:
    return isinstance(one_layer(classifier).mixer, Mamba2)


def _started(classifier: Classifier, start: Mapping[str, Array]) -> Classifier:
    """The classifier before its training."""
    layer, block = one_layer(classifier), "backbone.layers.0."
    at = {name.removeprefix(f"{block}mixer."): value for name, value in start.items()}
    norm = layer.norm
    if norm is not None:
        norm = replace(norm, gamma=start[f"{block}norm.weight"])
    fresh = _started2(mixer2(classifier), at) if _is_mamba2(classifier) else _started1(mixer(classifier), at)
    return replace(
        classifier,
        layers=(replace(layer, norm=norm, mixer=fresh),),
        embedding=start.get("backbone.embeddings.weight"),
        input_weight=start.get("input_proj.weight"),
        input_bias=start.get("input_proj.bias"),
        score=start["score.weight"],
        bias=start["score.bias"],
    )


def _started1(own: Mamba1, at: Mapping[str, Array]) -> Mamba1:
    (d, N), R = own.A_log.shape, len(own.X_dt)
    return replace(
        own,
        R_x=at["in_proj.weight"][:d],
        R_z=at["in_proj.weight"][d:],
        c=np.zeros(d),
        c_z=np.zeros(d),
        K=at["conv1d.weight"][:, 0, ::-1],
        b=at["conv1d.bias"],
        X_dt=at["x_proj.weight"][:R],
        X_B=at["x_proj.weight"][R : R + N],
        X_C=at["x_proj.weight"][R + N :],
        W_dt=at["dt_proj.weight"],
        p=at["dt_proj.bias"],
        A_log=at["A_log"],
        D=at["D"],
    )


def _started2(own: Mamba2, at: Mapping[str, Array]) -> Mamba2:
    d, states = len(own.R_x), len(own.R_B)
    R_z, R_x, R_B, R_C, R_dt = np.split(at["in_proj.weight"], np.cumsum([d, d, states, states]))
    return replace(
        own,
        R_z=R_z,
        R_x=R_x,
        R_B=R_B,
        R_C=R_C,
        R_dt=R_dt,
        c_z=np.zeros(d),
        c=np.zeros(d),
        c_B=np.zeros(states),
        c_C=np.zeros(states),
        K=at["conv1d.weight"][:, 0, ::-1],
        b=at["conv1d.bias"],
        p=at["dt_bias"],
        A_log=at["A_log"],
        D=at["D"],
    )


def _standard(classifier: Classifier) -> dict[str, Array]:
    """Zeros; D 1, A_log ln 1, ln 2, ... over the states, or the heads of Mamba-2; steps of about 0.01."""
    made, _ = _blocks(classifier)
    start = {name: np.zeros(low.shape) for name, (low, _) in made(classifier).items()}
    steps = "p" if "p" in start else "L"  # the steps of Mamba-2 in tables
    logs = log(np.arange(1.0, len(start["A_log"].T) + 1.0))
    return start | {"D": start["D"] + 1, steps: start[steps] + _STEP, "A_log": start["A_log"] + logs}


def _nats(mass: Fraction) -> Enclosure:
    with bits(START_BITS):
        return Enclosure.of(-exact(mass).log())
