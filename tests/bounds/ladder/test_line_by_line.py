"""theory written out a second time, in plain floats, against every part of a rung.

Nothing here calls the formulas under test: radii, dimensions, coefficients, weights and the final inequalities are
spelled out from the text, so that a changed constant, a forgotten term or an unpaid cell shows.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest

from ssm_bounds.bounds.architectures.selective_ssm.blocks import coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, DecayGroups
from ssm_bounds.bounds.architectures.selective_ssm.family import measured_class, selected_classes
from ssm_bounds.bounds.architectures.selective_ssm.groups import split
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Product
from ssm_bounds.bounds.covers.lemmas import Volume
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.selection.splits import Group
from ssm_bounds.bounds.values import Sample
from tests import rungs as ladder
from tests import rungs as reference
from tests.bounds.selection.test_selection import MODEL, classes

T = 50
PLAIN = ClassConstants(
    d=4, N=3, k=2, V=None, gate="softplus", s_A=-0.2, B_A=3.0, M_A=None, B_u=1.5, B_B=2.0, M_B=None, B_C=1.2, M_C=None,
    B_q=0.7, M_q=None, p_lo=-2.0, p_hi=-1.0, B_w=3.0, M_w=None,
)  # fmt: skip
SMALL = {"M_A": 0.05, "M_B": 0.03, "M_C": 0.04, "M_q": 0.02, "M_w": 0.03}  # l1 radii so small that Maurey wins
CLASSES = {
    "plain": PLAIN,
    "unstable": replace(PLAIN, s_A=0.1),
    "neutral": replace(PLAIN, s_A=0.0),
    "capped": replace(PLAIN, M=0.5),
    "embedding": replace(PLAIN, V=7),
    "no gate": replace(PLAIN, gate="none", B_q=0, p_lo=0, p_hi=0),
    "l1": replace(PLAIN, **SMALL),
    "l1 and capped": replace(PLAIN, **SMALL, M=0.5),
}


def slopes(s_A: float, M: float, R_1: float, R_2: float) -> float:
    """R_g of theory 5.1."""
    return R_1 + s_A * R_2 if s_A > 0 else min(R_1 - s_A * R_2, (1 - s_A * M / 2) * R_1)


def sums(c: ClassConstants) -> tuple[float, float, float]:
    """M, R_1 and R_2 of theory 4.5."""
    M = 1.0 if c.gate == "none" else c.M if c.M is not None else math.log1p(math.exp(c.p_hi + c.B_q * c.B_u))
    s = float(c.s_A)
    if s == 0:
        return M, M * T, M * M * T * (T - 1) / 2
    r = math.exp(s * M)
    R_1 = M * (1 - r**T) / (1 - r)
    if s > 0:
        return M, R_1, M * M * sum(i * r**i for i in range(T))
    rate, length = -s, T * M
    phi = rate * M / (1 - math.exp(-rate * M))
    smooth = phi * (1 - math.exp(-rate * length) * (1 + rate * length)) / rate**2
    return M, R_1, min(smooth, M * M * T * (T - 1) / 2)


def betas(c: ClassConstants) -> dict[str, float]:
    """theory 5.1 and 5.4."""
    M, R_1, R_2 = sums(c)
    kappa = c.B_w * c.B_B * c.B_C * c.B_u**3
    gate = kappa * slopes(c.s_A, M, R_1, R_2)
    found = {"A": kappa * R_2, "B": kappa * R_1 / c.B_B, "C": kappa * R_1 / c.B_C, "w": kappa * R_1 / c.B_w}
    if c.gate != "none":
        found["g"] = gate
    if c.V is not None:
        moved = (
            2 * c.B_B * c.B_u**2 * R_1 + c.B_B * c.B_u**3 * c.B_q * slopes(c.s_A, M, R_1, R_2) + c.B_B * c.B_u**2 * R_1
        )
        found["e"] = c.B_w * c.B_C * moved
    return found


def volume(n: int, r: float, eps: float) -> float:
    return n * math.log(1 + 2 * r / eps)


def maurey(n: int, radius: float, eps: float) -> float:
    return 0.0 if eps >= radius else math.ceil((radius / eps) ** 2) * math.log(2 * n + 1)


def expected_blocks(c: ClassConstants, eps: dict[str, float]) -> dict[str, float]:
    """theory 3.1 to 3.3, block by block, at a radius of each block's own metric."""
    nd, half = c.N * c.d, (c.B_A + c.s_A) / 2

    def least(volumetric: float, n: int, radius: float | None, at: float) -> float:
        return volumetric if radius is None else min(volumetric, maurey(n, radius, at))

    box = nd * math.log(max(1, math.ceil(half / eps["A"])))
    found = {
        "A": box if c.M_A is None else least(volume(nd, half, eps["A"]), nd, c.M_A, eps["A"]),
        "B": least(volume(nd, c.B_B, eps["B"]), nd, c.M_B, eps["B"]),
        "C": least(volume(nd, c.B_C, eps["C"]), nd, c.M_C, eps["C"]),
        "w": least(volume(c.k * c.d, c.B_w, eps["w"]), c.k * c.d, c.M_w, eps["w"]),
    }
    width = (c.p_hi - c.p_lo) / 2
    if c.gate == "softplus" and c.M is not None:
        found["g"] = volume(c.d + 1, width + c.B_q * c.B_u, eps["g"])
    elif c.gate == "softplus":
        found["p"] = math.log(max(1, math.ceil(width / eps["p"])))
        weights = eps["q"] / c.B_u  # a move of q by this moves a logit by eps
        found["q"] = least(volume(c.d, c.B_q, weights), c.d, c.M_q, weights)
    if c.V is not None:
        found["e"] = volume(c.V * c.d, c.B_u, eps["e"])
    return found


GROUPS = DecayGroups(
    A=(Group(2, -0.2), Group(9, -0.7), Group(1, -2.0)), rows=(Group(1, -0.2), Group(2, -1.1)),
    columns=(Group(1, -0.2), Group(3, -0.9)),
)  # fmt: skip
GROUPED = {
    "groups": replace(PLAIN, groups=GROUPS),
    "groups, capped": replace(PLAIN, groups=GROUPS, M=0.5),
    "groups, embedding": replace(PLAIN, groups=GROUPS, V=7),
    "groups, no gate": replace(CLASSES["no gate"], groups=GROUPS),
    "groups, unstable": replace(
        PLAIN, s_A=0.1, groups=replace(GROUPS, A=(Group(1, 0.1), Group(11, 0.0)), rows=(Group(3, 0.1),),
                                       columns=(Group(2, 0.1), Group(2, -0.9)))
    ),
    "vocabulary": replace(PLAIN, norms="vocabulary"),
    "groups, vocabulary, capped": replace(PLAIN, groups=GROUPS, norms="vocabulary", M=0.5),
}  # fmt: skip


def grouped_betas(c: ClassConstants) -> dict[str, float]:
    """theory 5.2 and 5.3, term by term."""
    groups = c.groups or DecayGroups((Group(12, c.s_A),), (Group(3, c.s_A),), (Group(4, c.s_A),))
    words = c.norms == "vocabulary"  # B_B, B_C, B_w are then v_B, v_C, v_w
    kappa = c.B_w * c.B_B * c.B_C * (1 if words else c.B_u**3)
    found = {}
    for block, part, norm in (("A", groups.A, 1.0), ("B", groups.rows, c.B_B), ("C", groups.rows, c.B_C),
                              ("w", groups.columns, c.B_w)):  # fmt: skip
        for i, group in enumerate(part, 1):
            _, R_1, R_2 = sums(replace(c, groups=None, s_A=group.s_A))
            found[f"{block}.{i}" if len(part) > 1 else block] = kappa * (R_2 if block == "A" else R_1 / norm)
    M, R_1, R_2 = sums(c)
    if c.gate != "none":
        found["g"] = kappa * slopes(c.s_A, M, R_1, R_2)
    if c.V is not None:
        found["e"] = betas(c)["e"]
    return found


def grouped_blocks(c: ClassConstants, eps: dict[str, float]) -> dict[str, float]:
    """theory 5.2: the box of A; prod_g (1 + 2B/eps_g)^{n_g} for W_B, W_C, W."""
    groups = c.groups or DecayGroups((Group(12, c.s_A),), (Group(3, c.s_A),), (Group(4, c.s_A),))
    found = {n: v for n, v in expected_blocks(c, dict.fromkeys("ABCw", 1.0) | eps).items() if n in "gpqe"}
    for block, part, entries, radius in (("A", groups.A, 1, None), ("B", groups.rows, 4, c.B_B),
                                         ("C", groups.rows, 4, c.B_C), ("w", groups.columns, 2, c.B_w)):  # fmt: skip
        for i, group in enumerate(part, 1):
            name = f"{block}.{i}" if len(part) > 1 else block
            if radius is None:
                found[name] = group.items * math.log(max(1, math.ceil((c.B_A + group.s_A) / 2 / eps[name])))
            else:
                found[name] = volume(group.items * entries, radius, eps[name])
    return found


@pytest.mark.parametrize("name", GROUPED)
def test_group_coefficients(name):
    found = coefficients(GROUPED[name], T)
    expected = grouped_betas(GROUPED[name])
    assert {block: beta.float_upper() for block, beta in found.items()} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("eps", [0.003, 0.5, 40.0])
def test_group_blocks(name, eps):
    c = GROUPED[name]
    product = output_entropy(c, coefficients(c, T)).split(eps)
    beta = grouped_betas(c)
    assert sum(product.shares.values()) == 1
    radius = {
        block: eps * float(share) / beta["g" if block in ("p", "q") else block]
        for block, share in product.shares.items()
    }
    found = {block: part.float_upper() for block, part in product.by_block(eps).items()}
    assert found == pytest.approx(grouped_blocks(c, radius), rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
def test_coefficients(name):
    found = coefficients(CLASSES[name], T)
    assert {block: beta.float_upper() for block, beta in found.items()} == pytest.approx(betas(CLASSES[name]), rel=1e-9)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("eps", [0.003, 0.5, 40.0])
def test_blocks(name, eps):
    c = CLASSES[name]
    product = output_entropy(c, coefficients(c, T)).split(eps)
    beta = betas(c)
    radius = {
        block: eps * float(share) / beta["g" if block in ("p", "q") else block]
        for block, share in product.shares.items()
    }
    found = {block: part.float_upper() for block, part in product.by_block(eps).items()}
    assert found == pytest.approx(expected_blocks(c, radius), rel=1e-9)
    assert product.log_covering(eps).float_upper() == pytest.approx(sum(found.values()), rel=1e-12)


def weight(j: int) -> Fraction:
    return Fraction(1, 2 * (abs(j) + 1) * (abs(j) + 2))


def index(x: float) -> int:
    return math.ceil(8 * math.log2(x))


@pytest.mark.parametrize("s_A", [-0.1, 0.0, 0.05, 1.7])
@pytest.mark.parametrize("trained", [False, True])
def test_every_cell_is_paid(s_A, trained):
    """theory 7, constant by constant; 4 options; s_A, M split K-fold for s_A > 0 under a cap."""
    model, g = replace(MODEL, s_A=s_A), 0.3
    t = MODEL.B_u if trained else 1.0
    for selected in classes(model, margin=g, embedding_in_class=trained):
        c = selected.constants
        paid = {
            "B_product": weight(index(3.0 * 2.0 * 1.2 * t**3 / g)),
            "B_A": weight(index(3.0)),
            "B_q": weight(index(0.7 * t)),
            "p": weight(-2),
        }
        K = 1
        if c.M is not None:
            top = math.log1p(math.exp(-1.3 + 0.7 * 1.5))
            coarse = 2 ** (index(top) / 8)
            K = max(1, math.ceil(2 ** (index(s_A) / 8) * coarse * T / 4)) if s_A > 0 else 1
            paid["M"] = weight(index(top)) / K
        if c.s_A == 0:
            paid["s_A"] = Fraction(1, 4)
        else:
            j = index(s_A) if s_A > 0 else math.floor(8 * math.log2(-s_A))
            paid["s_A"] = weight(j) / 4 / K
        if c.M_B is not None:
            outer = 2.0 * 1.2 * t**3 / g
            paid |= {"M_A": weight(index(20.0)), "M_B": weight(index(5.0 / 2.0)), "M_C": weight(index(4.0 / 1.2)),
                     "M_w": weight(index(4.0 * outer)), "M_q": weight(index(1.0 * t))}  # fmt: skip
            assert c.M_A >= 20 and c.M_B >= 2.5 and c.M_C >= 4 / 1.2 and c.M_w >= 4.0 * outer and c.M_q >= 1.0 * t
        assert {cell.name: cell.weight for cell in selected.cells} == paid
        assert selected.weight == math.prod(paid.values()) / 4


ENTRIES = ((-2.0, -0.1, -1.5), (-3.0, -0.9, -1.1), (-2.5, -0.95, -1.3), (-2.2, -0.7, -1.4))  # a_jn, d = 4, N = 3


@pytest.mark.parametrize("words", [False, True])
def test_every_cell_and_split_is_paid_with_groups(words):
    """theory 5.2, 5.3, 7: one product, a cell for each bound but the first (s_A), the splits, 2 options."""
    model, g = replace(MODEL, decays=ENTRIES, v_B=2.5, v_C=1.5, v_w=4.0), 0.3
    shells = list(
        selected_classes(model, Sample(m, T), margin=g, embedding_in_class=False, vocabulary=words, groups=True)
    )
    assert len(shells) == 4
    for shell in shells:
        selected = split(shell, model, Sample(m, T), 0.5)
        c = selected.constants
        top = model.logit_max if words else -1.3 + 0.7 * 1.5
        paid = {"B_A": weight(index(3.0)), "B_q": weight(index(0.7)), "p": weight(-2)}
        paid |= {"v_product": weight(index(2.5 * 1.5 * 4.0 / g))} if words else {
            "B_product": weight(index(3.0 * 2.0 * 1.2 / g))}  # fmt: skip
        if c.M is not None:
            paid["M"] = weight(index(math.log1p(math.exp(top))))
        paid["s_A"] = Fraction(1, 4) if c.s_A == 0 else weight(math.floor(8 * math.log2(0.1))) / 4
        free = Fraction(1)
        for name, items in (("A", 12), ("rows", 3), ("columns", 4)):
            groups = getattr(c.groups, name)
            for i, group in enumerate(groups[1:], 2):
                paid[f"s_{name}.{i}"] = weight(round(8 * math.log2(-group.s_A))) / 4
            ways = 4 * math.comb(items + len(groups) - 1, len(groups) - 1)
            if name != "rows":
                ways *= math.factorial(items) // math.prod(math.factorial(group.items) for group in groups)
            free /= ways
        assert {cell.name: cell.weight for cell in selected.cells} == paid
        assert selected.weight == math.prod(paid.values()) * free / 2
        assert (c.B_B, c.B_C, c.norms) == (1, 1, "vocabulary" if words else "spectral")
        assert (c.M_A, c.M_B, c.M_C, c.M_q, c.M_w) == (None,) * 5


def test_before_section_seven():
    """The measured constants, p in [p - |p|, p]; a vocabulary caps the gates at softplus of its largest logit."""
    c = measured_class(MODEL, embedding_in_class=True, vocabulary=False)
    assert (c.p_lo, c.p_hi, c.V, c.M) == (Fraction(-1.3) * 2, Fraction(-1.3), 5, None)
    assert (c.M_A, c.M_B, c.M_C, c.M_q, c.M_w, c.B_w) == (20.0, 5.0, 4.0, 1.0, 4.0, 3.0)
    words = measured_class(MODEL, embedding_in_class=False, vocabulary=True)
    assert words.V is None
    assert pytest.approx(math.log1p(math.exp(-0.5)), rel=1e-12) == words.M


DELTA, m = Fraction(1, 50), 3 * 10**5
SETTINGS = {
    "ramp": Setting(MODEL, Sample(m, T), Ramp(0.7), 0.7, DELTA, embedding="fixed"),
    "clipped": Setting(MODEL, Sample(m, T), ClippedCrossEntropy(3), 0.7, DELTA, embedding="trained"),
    "ten outputs": Setting(replace(MODEL, k=10), Sample(m, T), Ramp(2), 2, DELTA, embedding="fixed"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_scale_and_margin(name):
    """6.2: 2 l eps + c sqrt((H + w + ln(2/delta))/(2m)); 6.3: sqrt((H + w + ln(1/delta))/(2m)), at g = 1."""
    setting = SETTINGS[name]
    root = math.sqrt(2) if setting.measured.k > 1 else 1.0
    c, l_ = (1.0, root) if name != "clipped" else (3.0, 1 - math.exp(-3))
    scale = ladder.scale(setting)
    H, w, eps = (scale.argument.record()[key].float_upper() for key in ("log_covering", "price", "epsilon"))
    assert scale.value.float_upper() == pytest.approx(2 * l_ * eps + c * math.sqrt((H + w + math.log(100)) / (2 * m)))
    margin = ladder.margin(setting)
    H, w, eps = (margin.argument.record()[key].float_upper() for key in ("log_covering", "price", "epsilon"))
    assert eps == pytest.approx(1 / (2 * root))
    assert margin.value.float_upper() == pytest.approx(math.sqrt((H + w + math.log(50)) / (2 * m)), rel=1e-9)
    assert margin.argument.exponent.float_upper() == pytest.approx((H + w + math.log(50)) / m, rel=1e-9)
    grouped = ladder.margin_groups(setting)
    H, w, eps = (grouped.argument.record()[key].float_upper() for key in ("log_covering", "price", "epsilon"))
    assert eps == pytest.approx(1 / (2 * root))
    assert grouped.value.float_upper() == pytest.approx(math.sqrt((H + w + math.log(50)) / (2 * m)), rel=1e-9)
    for rung in (scale, margin, grouped, ladder.scale_groups(setting)):
        assert rung.argument.selected.price.float_upper() == pytest.approx(
            -math.log(rung.argument.selected.weight), rel=1e-9
        )
        assert rung.argument.selected.constants.parameters == rung.argument.selected.constants.parameters


def test_the_risk_of_a_margin_rung_without_errors():
    """6.3 in kl form: ``kl_inv(0, b) = 1 - e^{-b}``."""
    for rung in (ladder.margin, ladder.margin_groups):
        found = rung(SETTINGS["ramp"])
        expected = 1 - math.exp(-found.argument.exponent.float_upper())
        assert ladder.margin_risk(found, 0, m).float_upper() == pytest.approx(expected)


def test_chained_rungs_add_two_complexities_and_a_deviation():
    """6.1: gap <= 2 Rad + c sqrt(ln(2/delta)/(2m))."""
    setting = replace(SETTINGS["clipped"], sample=Sample(10**8, T))
    for rung in (reference.repaired(setting), reference.sharp(setting)):
        deviation = 3 * math.sqrt(math.log(100) / (2 * 10**8))
        assert rung.value.float_upper() == pytest.approx(2 * rung.argument.dudley.rademacher.float_upper() + deviation)


def test_published_chain():
    """theory 2: the table of alphas and betas, gamma, C_F, the closed form and 3c sqrt(ln(2/delta)/(2m))."""
    setting = SETTINGS["ten outputs"]
    d, N, k, s, M_A, B_A, B_u, B_B, B_C, M_B, M_C, M_q, B_q, p, B_w, M_w = (
        4, 3, 10, -0.1, 20.0, 3.0, 1.5, 2.0, 1.2, 5.0, 4.0, 1.0, 0.7, -1.3, 3.0, 4.0
    )  # fmt: skip
    M, low = math.log1p(math.exp(p + B_q * B_u)), math.log1p(math.exp(p - B_q * B_u))
    rho = math.exp(s * low)
    S_1, S_2 = sum(rho**t for t in range(T)), sum(t * rho**t for t in range(T))
    kappa, B_x = B_w * B_B * B_C * B_u**3, M * B_B * B_u**2 * S_1
    alpha = [
        M_A**2 * N * d * math.log(2 * N**2 * d**2),
        B_u**2 * M_B**2 * math.log(2 * N * d + 1),
        B_u**2 * M_C**2 * B_x**2 * math.log(2 * N * d + 1),
        B_u**2 * M_q**2 * math.log(2 * d + 1),
        (B_C * B_u * B_x) ** 2 * M_w**2 * math.log(2 * k * d + 1),
    ]
    beta = [kappa * M**2 * S_2, B_w * B_C * B_u**2 * M * S_1, B_w, kappa * (S_1 + M * B_A * S_2), 1.0]
    C_F = sum(a ** (1 / 3) * b ** (2 / 3) for a, b in zip(alpha, beta, strict=True)) ** 1.5
    l_ = math.sqrt(2) / 2
    closed = 24 * l_ * C_F / math.sqrt(m) * (1 + math.log(math.sqrt(m) / (3 * l_ * C_F)))
    found = reference.published(setting)
    assert found.argument.capacity.C_F.float_upper() == pytest.approx(C_F, rel=1e-9)
    assert found.value.float_upper() == pytest.approx(closed + 3 * math.sqrt(math.log(100) / (2 * m)), rel=1e-9)


def exactly(end) -> mpmath.mpf:
    mantissa, exponent = end.man_exp()
    return mpmath.mpf(int(mantissa)) * mpmath.mpf(2) ** int(exponent)


@pytest.mark.parametrize("eps", [0.1, 1 / 3, 7e-5])
@pytest.mark.parametrize("beta", [Fraction(1, 3), Fraction(10**9, 7)])
def test_rounding_is_outward_through_images_and_products(eps, beta):
    """Ends against 60 digits with no tolerance: a division or share rounded inward shows at 1e-16."""
    part = Volume(5, 1.1, "l2")
    shares = {"A": Fraction(1, 3), "B": Fraction(2, 3)}
    image = LipschitzImage(part, Enclosure.point(beta), "output")
    product = Product({"A": image, "B": image}, shares)
    with mpmath.workdps(60):

        def true(share: Fraction) -> mpmath.mpf:
            inner = mpmath.mpf(eps) * share.numerator / share.denominator * beta.denominator / beta.numerator
            return 5 * mpmath.log(1 + 2 * mpmath.mpf(1.1) / inner)

        for found, value in (
            (image.log_covering(eps), true(Fraction(1))),
            (product.log_covering(eps), true(shares["A"]) + true(shares["B"])),
        ):
            assert exactly(found.lower) <= value <= exactly(found.upper)
            assert found.relative_width() < 1e-12
