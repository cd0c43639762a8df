"""The paper's classifier: embedding (or real-valued input), selective state-space block, readout of the last token."""

from __future__ import annotations

from typing import Self, get_args

import torch
from torch import Tensor, nn

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.scan import Form, last_output, step_sizes
from ssm_bounds.models.selective_ssm.weights import Weights

_A_SPREAD = 10.0  # the authors draw A from [s_A - 10, s_A]


class SelectiveSSM(nn.Module):
    """``z = W y_T`` of theory 1. Shapes (letters: ``selective_ssm.scan``): tokens (b,t) or inputs (b,t,d) -> logits
    (b,k).

    The parameters are named as in a native checkpoint: ``embedding.weight`` (V,d) (absent for ``V=None``: real-valued
    inputs), ``A`` (d,N), ``W_B`` and ``W_C`` (N,d), ``q`` (d,), ``p`` (1,), ``W`` (k,d).
    Initial values as the authors draw them: A uniform in [s_A - 10, s_A] with the first state of every channel at s_A,
    everything else standard normal. ``gate="none"`` (Delta = 1) keeps q and p, unused. Raises: ValueError.
    """

    def __init__(
        self,
        *,
        d: int,
        N: int,
        k: int = 1,
        V: int | None = None,
        gate: Gate = "softplus",
        convention: Convention = "code",
        form: Form = "unrolled",
        s_A: float = 0.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        for name, value, kind in (("gate", gate, Gate), ("convention", convention, Convention), ("form", form, Form)):
            if value not in get_args(kind):
                raise ValueError(f"{name}: expected one of {', '.join(get_args(kind))}, got {value!r}")
        self.gate, self.convention, self.form = gate, convention, form

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype))

        self.embedding: nn.Embedding | None = None
        if V is not None:
            self.embedding = nn.Embedding.from_pretrained(normal(V, d).data, freeze=False)
        A = s_A - _A_SPREAD * torch.rand(d, N, generator=generator, dtype=dtype)
        A[:, 0] = s_A
        self.A = nn.Parameter(A)
        self.W_B, self.W_C = normal(N, d), normal(N, d)
        self.q, self.p = normal(d), normal(1)
        self.W = normal(k, d)

    @classmethod
    def from_weights(
        cls,
        weights: Weights,
        *,
        gate: Gate = "softplus",
        convention: Convention = "code",
        form: Form = "unrolled",
        dtype: torch.dtype = torch.float64,
    ) -> Self:
        """The model with these weights; in float64 (the default) nothing is rounded."""
        model = cls(
            d=weights.d,
            N=weights.N,
            k=weights.k,
            V=weights.V,
            gate=gate,
            convention=convention,
            form=form,
            generator=torch.Generator(),  # the values are replaced: leave the global stream alone
            dtype=dtype,
        )
        arrays = {name: getattr(weights, name) for name in ("A", "W_B", "W_C", "q", "W")}
        arrays["p"] = [weights.p]
        if weights.embedding is not None:
            arrays["embedding.weight"] = weights.embedding
        model.load_state_dict({name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()})
        return model

    def weights(self) -> Weights:
        """The parameters in float64, exactly."""
        arrays = {name: value.detach().cpu().double().numpy() for name, value in self.named_parameters()}
        return Weights(p=arrays.pop("p").item(), embedding=arrays.pop("embedding.weight", None), **arrays)

    @property
    def s_A(self) -> float:
        """Spectral abscissa, ``max a_jn``."""
        return self.A.detach().max().item()

    @torch.compiler.disable  # reads the data, which a compiled graph cannot
    def embedded(self, inputs: Tensor) -> Tensor:
        """(b,t) tokens or (b,t,d) inputs -> (b,t,d). Raises: ValueError."""
        d = self.A.shape[0]
        if self.embedding is None:
            if inputs.ndim != 3 or inputs.shape[2] != d or not inputs.is_floating_point():
                raise ValueError(f"expected real-valued inputs of shape (b, t, {d}), got {_describe(inputs)}")
        elif inputs.ndim != 2 or inputs.is_floating_point() or inputs.is_complex() or inputs.dtype == torch.bool:
            raise ValueError(f"expected integer tokens of shape (b, t), got {_describe(inputs)}")
        if inputs.shape[1] == 0:
            raise ValueError("expected sequences of at least one token, got length 0")
        if self.embedding is None:
            return inputs.to(self.A.dtype)
        V, tokens = self.embedding.num_embeddings, inputs.long()
        if tokens.numel() and not (tokens.min() >= 0 and tokens.max() < V):
            raise ValueError(f"tokens must lie in 0..{V - 1}, got {tokens.min()}..{tokens.max()}")
        return self.embedding(tokens)

    def gated_time(self, inputs: Tensor) -> Tensor:
        """``sum_t Delta_t``, the state's own time. Shapes: as ``forward`` -> (b,). Raises: ValueError."""
        return step_sizes(self.embedded(inputs), self.q, self.p, self.gate).sum(1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits. Shapes: tokens (b,t) in 0..V-1, or inputs (b,t,d) when V is None -> (b,k). Raises: ValueError."""
        y = last_output(
            self.embedded(inputs),
            self.A,
            self.W_B,
            self.W_C,
            self.q,
            self.p,
            gate=self.gate,
            convention=self.convention,
            form=self.form,
        )
        return y @ self.W.mT


def _describe(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
