"""What was measured of a selective SSM, and the radii of a class of them.

Every number here is exact: an int, a Fraction, or a float read as the dyadic rational that it is.
Whoever measures rounds outward first (``selective_ssm.measure``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ssm_bounds.bounds.selection.splits import Group
from ssm_bounds.bounds.values import DomainError, Gate, Scalar, check_fields, require, require_finite

Norms = Literal["spectral", "vocabulary"]
SHAPE = ("d", "N", "k", "V")
RADII = ("B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "B_w", "M_w")
_VOCABULARY = ("v_B", "v_C", "v_w")


@dataclass(frozen=True, slots=True)
class MeasuredConstants:
    """Constants of one trained model (theory 1). ``B_*`` spectral or l2 norms, ``M_*`` entrywise l1 norms.

    Shapes: d channels, N states per channel, k outputs, V embedding rows (None: real-valued inputs).
    Every radius is an upper bound of the true norm; ``s_A`` = max a_jn and ``p`` are exact and keep their sign.
    ``B_A`` = max |a_jn|, ``M_A`` = sum |a_jn|. ``logit_max``: upper bound of ``max_v p + q.e_v`` over the
    embedding rows (None without an embedding). With ``gate="none"`` (Delta = 1) p, B_q and M_q are 0.
    ``decays``: the entries a_jn themselves, d rows of N, exact (None: only their maximum is known). ``v_*``: upper
    bounds of the vocabulary constants of theory 5.3 (None where they were not measured).
    Raises: DomainError.
    """

    d: int
    N: int
    k: int
    V: int | None
    gate: Gate
    s_A: Scalar
    B_A: Scalar
    M_A: Scalar
    B_u: Scalar
    B_B: Scalar
    M_B: Scalar
    B_C: Scalar
    M_C: Scalar
    B_q: Scalar
    M_q: Scalar
    p: Scalar
    B_w: Scalar
    M_w: Scalar
    logit_max: Scalar | None = None
    decays: tuple[tuple[Scalar, ...], ...] | None = None
    v_B: Scalar | None = None
    v_C: Scalar | None = None
    v_w: Scalar | None = None

    def __post_init__(self) -> None:
        check_fields("MeasuredConstants", self, counts=SHAPE, radii=(*RADII, *_VOCABULARY))
        for name in ("s_A", "p") + (("logit_max",) if self.logit_max is not None else ()):
            require_finite("MeasuredConstants", name, getattr(self, name))
        require(self.gate in ("softplus", "none"), f"gate: expected 'softplus' or 'none', got {self.gate!r}")
        require(
            Fraction(self.B_A) >= abs(Fraction(self.s_A)),
            f"B_A = max |a_jn| = {self.B_A!r} is below |s_A| for s_A = {self.s_A!r}",
        )
        if self.gate == "none":
            require(
                self.p == 0 and self.B_q == 0 and self.M_q == 0,
                "gate 'none' has no gate parameters: p, B_q and M_q must be 0",
            )
        if self.decays is not None:
            shape = {len(row) for row in self.decays}
            require(
                len(self.decays) == self.d and shape == {self.N},
                f"decays: expected {self.d} rows of {self.N} entries a_jn, got {len(self.decays)} of {sorted(shape)}",
            )
            require(
                max(map(max, self.decays)) == self.s_A and -min(map(min, self.decays)) <= self.B_A,
                f"decays: the largest entry must be s_A = {self.s_A!r} and the least at least -B_A = {-self.B_A!r}",
            )


@dataclass(frozen=True, slots=True)
class DecayGroups:
    """Groups of the entries of A, of the rows of W_B and W_C, of the columns of W (theory 5.2).

    The class of A is the box ``-B_A <= a_jn <= least bound of the three groups that j, n lie in``; which items a group
    holds is fixed with the class and, beyond their number, matters to no cover.
    """

    A: tuple[Group, ...]
    rows: tuple[Group, ...]
    columns: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class ClassConstants:
    """Radii of a class of selective SSMs (theory 1): what a bound certifies holds for every member.

    ``M_*``: entrywise l1 radii, None where the class does not constrain them. ``V``: rows of the embedding when it
    is a block of the class (5.4), else None. ``M``: cap on every gate Delta_t (a joint constraint on p and q, or on
    their values over a fixed vocabulary); None: the gates are bounded by softplus(p_hi + B_q B_u).
    ``groups``: decay groups (None: one group at s_A, the largest decay of the class in any case).
    ``norms``: what B_B, B_C and B_w bound. "vocabulary": no spectral norm, but v_B, v_C and v_w of theory 5.3 over
    the rows of a fixed embedding, ``max_v |W_B e_v|``, ``max_v |W_C e_v|`` and ``max_v sup_{|a|=1} |(W^T a) o e_v|_1``.
    Raises: DomainError.
    """

    d: int
    N: int
    k: int
    V: int | None
    gate: Gate
    s_A: Scalar
    B_A: Scalar
    M_A: Scalar | None
    B_u: Scalar
    B_B: Scalar
    M_B: Scalar | None
    B_C: Scalar
    M_C: Scalar | None
    B_q: Scalar
    M_q: Scalar | None
    p_lo: Scalar
    p_hi: Scalar
    B_w: Scalar
    M_w: Scalar | None
    M: Scalar | None = None
    groups: DecayGroups | None = None
    norms: Norms = "spectral"

    def __post_init__(self) -> None:
        check_fields("ClassConstants", self, counts=SHAPE, radii=(*RADII, "M"))
        for name in ("s_A", "p_lo", "p_hi"):
            require_finite("ClassConstants", name, getattr(self, name))
        if self.p_lo > self.p_hi:
            raise DomainError(f"ClassConstants: p_lo = {self.p_lo!r} exceeds p_hi = {self.p_hi!r}")
        if -Fraction(self.B_A) > self.s_A:
            raise DomainError(
                f"ClassConstants: the box [-B_A, s_A] is empty for B_A = {self.B_A!r}, s_A = {self.s_A!r}"
            )
        plain = all(radius is None for radius in (self.M_A, self.M_B, self.M_C, self.M_w))
        require(self.norms in ("spectral", "vocabulary"), f"norms: 'spectral' or 'vocabulary', got {self.norms!r}")
        require(
            self.norms == "spectral" or (plain and self.V is None),
            "vocabulary norms (theory 5.3) need a fixed embedding, and no l1 radius of A, W_B, W_C or W",
        )
        if self.groups is not None:
            self._check_groups(self.groups, plain)

    def _check_groups(self, groups: DecayGroups, plain: bool) -> None:
        require(plain, "decay groups (theory 5.2) are covered by volume: no l1 radius of A, W_B, W_C or W")
        for name, items in (("A", self.d * self.N), ("rows", self.N), ("columns", self.d)):
            found: tuple[Group, ...] = getattr(groups, name)
            held = sum(group.items for group in found)
            require(held == items, f"decay groups of {name} hold {held} items of {items}")
            bounds = [Fraction(group.s_A) for group in found]
            require(
                max(bounds) == Fraction(self.s_A),
                f"decay groups of {name}: the largest bound must be s_A = {self.s_A!r}, got {float(max(bounds))!r}",
            )
            require(min(bounds) + Fraction(self.B_A) >= 0, f"decay groups of {name}: a bound is below -B_A")

    @property
    def parameters(self) -> int:
        """P: how many real parameters the class has."""
        gate = self.d + 1 if self.gate == "softplus" else 0
        return 3 * self.d * self.N + self.k * self.d + gate + (self.V or 0) * self.d
