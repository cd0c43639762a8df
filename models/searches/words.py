"""A classifier of Mamba blocks and its words: what each tensor is good for, and the count that certifies a word.

Source: theory 8.12 to 8.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import Part, Role
from ssm_bounds.bounds.codes.word import Start, Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import certify
from ssm_bounds.bounds.values import Scalar, require
from ssm_bounds.models.mamba import start
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.weights import Array, GatedNorm, Layer, Mamba1, Mamba2, Norm
from ssm_bounds.models.program.evaluate import errors, logits
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.program.stack import Embedding, Projection, Stack
from ssm_bounds.models.tasks.task import Split

_MATRICES = ("in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight")
_OTHERS = ("A_log", "embeddings.weight", "input_proj.weight")


@dataclass(frozen=True, slots=True)
class Counted:
    """What the exact program counts for a word: ``errors`` on m rows, which were drawn i.i.d.; nats; risk at delta."""

    errors: int
    m: int
    nats: Enclosure
    risk: Enclosure


def parts(design: Design) -> dict[str, Part]:
    """Every tensor with its role: of the mixers, matrices are those that are multiplied with; decays, embedding and the
    map of real inputs are moved by the family full alone."""
    return {part.name: Part(part.shape, _role(part.name)) for part in start.parts(design)}


def _role(name: str) -> Role:
    if name.startswith("score."):
        return "head"
    return (
        "matrix" if name.endswith(_MATRICES) and ".mixer." in name else "other" if name.endswith(_OTHERS) else "vector"
    )


def ordered(design: Design, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors in the order of a word, in whatever order a file has them. Raises: DomainError for other names."""
    expected = [part.name for part in start.parts(design)]
    wrong = sorted(tensors.keys() ^ set(expected))
    require(not wrong, f"expected the tensors of the design: {', '.join(wrong)} missing, or too many")
    return {name: tensors[name] for name in expected}


def scratch(design: Design, seed: int) -> Start:
    """What a word from scratch says of this design. Raises: DomainError where it has no price."""
    plain = design.mixer == "mamba" and design.final_norm and not design.pool_before_norm
    require(plain, "a word from scratch is of Mamba blocks with a final norm before the pooling")
    return Start(design.D, design.layers, design.N, design.k, design.expand, design.pooling, seed)


def stack(design: Design, tensors: Mapping[str, Array]) -> Stack:
    """The program's model of these tensors (float64). Raises: DomainError for a design that the program has not."""
    require(
        design.final_norm and not design.pool_before_norm and design.outputs >= 2,
        "the program has a final norm before the pooling, and 2 outputs or more (--final-norm, no --pool-before-norm)",
    )
    if design.V is not None:
        entry: Embedding | Projection = Embedding(tensors["backbone.embeddings.weight"])
    else:
        entry = Projection(tensors["input_proj.weight"], tensors["input_proj.bias"])
    made = _mamba1 if design.mixer == "mamba" else _mamba2
    layers = []
    for i in range(design.layers):
        block = f"backbone.layers.{i}."
        named = {
            name.removeprefix(f"{block}mixer."): value for name, value in tensors.items() if name.startswith(block)
        }
        norm = Norm("rms", tensors[f"{block}norm.weight"], design.eps)
        layers.append(Layer(i, f"{block}mixer", norm, made(design, named)))
    final = Norm("rms", tensors["backbone.norm_f.weight"], design.eps)
    return Stack(entry, tuple(layers), final, tensors["score.weight"], tensors["score.bias"], design.pooling)


def counted(word: Word, design: Design, base: Mapping[str, Array], split: Split, delta: Scalar) -> Counted:
    """The word decoded on ``base`` (float64, by the names of a file), and the exact program run on every row.

    Raises: DomainError.
    """
    weights = decode(word, parts(design), ordered(design, base))
    z = logits(prepared(stack(design, weights)), split.x, lengths(split.x, design.pad))
    found, nats = errors(z, split.y), word.nats()
    return Counted(found, split.m, nats, certify(nats, found, split.m, delta))


def _mamba1(design: Design, named: Mapping[str, Array]) -> Mamba1:
    """From the names of a mixer."""
    d, N, R = design.d, design.N, design.R
    into, selection, zeros = named["in_proj.weight"], named["x_proj.weight"], np.zeros
    return Mamba1(
        R_x=into[:d],
        R_z=into[d:],
        c=zeros(d),
        c_z=zeros(d),
        K=named["conv1d.weight"][:, 0, ::-1],
        b=named["conv1d.bias"],
        X_dt=selection[:R],
        X_B=selection[R : R + N],
        X_C=selection[R + N :],
        c_dt=zeros(R),
        c_B=zeros(N),
        c_C=zeros(N),
        W_dt=named["dt_proj.weight"],
        p=named["dt_proj.bias"],
        A_log=named["A_log"],
        D=named["D"],
        W_o=named["out_proj.weight"],
        b_o=zeros(design.D),
    )


def _mamba2(design: Design, named: Mapping[str, Array]) -> Mamba2:
    """From the names of a mixer; rows of in_proj are z, x, B, C, dt."""
    d, n, zeros = design.d, design.G * design.N, np.zeros
    R_z, R_x, R_B, R_C, R_dt = np.split(named["in_proj.weight"], np.cumsum([d, d, n, n]))
    return Mamba2(
        R_z=R_z,
        R_x=R_x,
        R_B=R_B,
        R_C=R_C,
        R_dt=R_dt,
        c_z=zeros(d),
        c=zeros(d),
        c_B=zeros(n),
        c_C=zeros(n),
        K=named["conv1d.weight"][:, 0, ::-1],
        b=named["conv1d.bias"],
        p=named["dt_bias"],
        A_log=named["A_log"],
        D=named["D"],
        W_o=named["out_proj.weight"],
        b_o=zeros(design.D),
        groups=design.G,
        norm=GatedNorm(named["norm.weight"], design.eps, design.G),
    )
