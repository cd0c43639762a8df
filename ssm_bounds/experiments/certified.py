"""What ``training.monitor.BoundMonitor`` asks of the weights: the constants that a bound depends on, and the bound.

asked = Certifier(Sample(m=1000, T=400), gate="softplus")
monitor = BoundMonitor("log", asked.constants, certify=asked.bounds, every=10)
for epoch in range(1, 41):
    ...
    monitor(model.weights(), epoch, loss=loss)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.balls import enclose_all
from ssm_bounds.bounds.gaps.losses import Loss, Ramp
from ssm_bounds.bounds.ladder.margin import margin
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.ladder.scale import scale
from ssm_bounds.bounds.values import Gate, Sample, Scalar
from ssm_bounds.models.selective_ssm.measure import l2, measure
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.training.monitor import Row
from ssm_bounds.question import monitored

_RAMP = Ramp(1)


@dataclass(frozen=True, slots=True)
class Certifier:
    """Which bound is asked for, all fixed before the data. ``input_bound``: B_u of real-valued inputs.

    An embedding is in the class (trained on the sample), so the bounds hold for every epoch of a training at once,
    with probability 1 - delta for each of the two. They are about the distribution of the training data.
    """

    sample: Sample
    gate: Gate
    input_bound: float | None = None
    loss: Loss = _RAMP
    margin: Scalar = 1
    delta: Fraction = Fraction(1, 20)

    def setting(self, weights: Weights) -> Setting:
        """What the bounds are evaluated for."""
        measured = measure(weights, gate=self.gate, input_bound=self.input_bound, vocabulary=False)
        return monitored(measured, self.sample, loss=self.loss, margin=self.margin, delta=self.delta)

    def constants(self, weights: Weights) -> Row:
        """Norms, gate range, and the sums over time at the measured constants; upper ends, but ``Delta_min`` is a lower
        end. The authors log Frobenius norms as ``B_B`` and ``B_C``; the theory's are the spectral ones (theory 2).
        ``rho`` as printed in the paper, ``R_1``: theory 4.5. Infinite beyond the range of a double.
        """
        setting = self.setting(weights)
        found = setting.measured
        values = assignment(setting.measured_class(), self.sample.T, rho="published")
        if self.gate == "softplus":  # the printed rho takes the gate at p itself
            values |= {sym.Delta_min: softplus(sym.p - sym.B_q * sym.B_u), sym.p: found.p}
        sums = enclose_all({symbol.name: symbol for symbol in (sym.Delta_min, sym.M, sym.rho, sym.R_1)}, values)
        return {
            "s_A": float(found.s_A),
            "B_A": float(found.B_A),
            "p": float(found.p),
            "q_l2": float(found.B_q),
            "embedding_row_l2" if weights.V else "input_l2": float(found.B_u),
            "W_B_spectral": float(found.B_B),
            "W_B_frobenius": l2(weights.W_B),
            "W_C_spectral": float(found.B_C),
            "W_C_frobenius": l2(weights.W_C),
            "W_spectral": float(found.B_w),
            "W_frobenius": l2(weights.W),
            "Delta_min": sums[sym.Delta_min.name].float_lower(),
            "Delta_max": sums[sym.M.name].float_upper(),
            "rho": sums[sym.rho.name].float_upper(),
            "R_1": sums[sym.R_1.name].float_upper(),
        }

    def bounds(self, weights: Weights) -> Row:
        """The rungs *scale* (gap of the loss, two-sided) and *margin* (excess of the error over the fraction of small
        training margins), each by itself at delta."""
        setting = self.setting(weights)
        return {
            "certified_gap": scale(setting).value.float_upper(),
            "certified_excess": margin(setting).value.float_upper(),
        }
