"""Theory 5.2 and 5.3: what decay groups and vocabulary constants claim, must not claim, and cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.selective_ssm.blocks import coefficients, covers, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, DecayGroups, MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.family import selected_classes
from ssm_bounds.bounds.architectures.selective_ssm.groups import item_decays, measured_groups, one_group, split
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.covers.lemmas import GroupVolume
from ssm_bounds.bounds.selection.cells import abscissa_cells
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.selection.splits import MOST_GROUPS, Group, Split
from ssm_bounds.bounds.values import DomainError, Sample
from tests.bounds.architectures.test_perturbation import NOISE, random_model
from tests.bounds.selection.test_selection import MODEL
from tests.oracle import Model

Labels = dict[str, np.ndarray]  # the group of every entry of A (d,N), row (N,), column (d,)


def spectral(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


def readout_norm(W: np.ndarray, words: np.ndarray) -> float:
    """``max_v sup_{|a|=1} |(W^T a) o e_v|_1``, by all signs: the sup is ``max over signs |W (signs o e_v)|``."""
    signs = np.array(list(itertools.product((-1, 1), repeat=W.shape[1])))
    return float(np.linalg.norm((signs[None] * words[:, None]) @ W.T, axis=-1).max())


def norms(words: np.ndarray | None) -> dict[str, object]:
    """The norms of W_B, W_C and W: spectral, or over the rows of a vocabulary."""
    if words is None:
        return dict.fromkeys(("W_B", "W_C", "W"), spectral)

    def image(matrix: np.ndarray) -> float:
        return float(np.linalg.norm(words @ matrix.T, axis=1).max())

    return {"W_B": image, "W_C": image, "W": lambda W: readout_norm(W, words)}


def smallest_class(
    pair: Sequence[Model], B_u: float, labels: Labels, words: np.ndarray | None, M: float | None
) -> ClassConstants:
    """The least class with these groups that contains the models."""
    A = np.max([model.A for model in pair], axis=0)
    touched = {"A": A, "rows": A.max(axis=0), "columns": A.max(axis=1)}
    bounds = {
        name: tuple(Group(int((of == g).sum()), touched[name][of == g].max()) for g in np.unique(of))
        for name, of in labels.items()
    }
    size = {name: max(norm(getattr(x, name)) for x in pair) for name, norm in norms(words).items()}
    d, N = A.shape
    return ClassConstants(
        d=d, N=N, k=pair[0].W.shape[0], V=None, gate="softplus",
        s_A=A.max(), B_A=max(abs(x.A).max() for x in pair), M_A=None, B_u=B_u,
        B_B=size["W_B"], M_B=None, B_C=size["W_C"], M_C=None, B_q=max(np.linalg.norm(x.q) for x in pair), M_q=None,
        p_lo=min(x.p for x in pair), p_hi=max(x.p for x in pair), B_w=size["W"], M_w=None, M=M,
        groups=DecayGroups(**bounds), norms="spectral" if words is None else "vocabulary",
    )  # fmt: skip


def claimed(
    constants: ClassConstants, T: int, pair: Sequence[Model], B_u: float, labels: Labels, words: np.ndarray | None
) -> float:
    """The right side of 5.2: every group's coefficient times how far the group moved."""
    one, two = pair
    size = norms(words)
    moves = {"g": abs(one.p - two.p) + B_u * float(np.linalg.norm(one.q - two.q))}
    changes = (("A", "A", one.A - two.A), ("B", "rows", one.W_B - two.W_B), ("C", "rows", one.W_C - two.W_C),
               ("w", "columns", one.W - two.W))  # fmt: skip
    for block, item, change in changes:
        of = labels[item]
        for i, g in enumerate(np.unique(of), 1):
            kept = np.where((of == g)[:, None] if item == "rows" else of == g, change, 0.0)
            norm = (lambda x: abs(x).max()) if block == "A" else size[{"B": "W_B", "C": "W_C", "w": "W"}[block]]
            moves[f"{block}.{i}" if len(np.unique(of)) > 1 else block] = float(norm(kept))
    beta = coefficients(constants, T)
    assert set(moves) == set(beta)
    return sum(beta[name].float_upper() * move for name, move in moves.items())


def blend(one: Model, two: Model, step: float) -> Model:
    mixed = {f: getattr(one, f) * (1 - step) + getattr(two, f) * step for f in ("A", "W_B", "W_C", "q", "p", "W")}
    return Model(**mixed)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 30)),
    s_A=st.sampled_from([-2.0, -0.1, 0.0, 0.1]),
    step=st.sampled_from([1e-4, 0.1, 1.0]),
    words=st.booleans(),
)
def test_output_moves_at_most_as_bounded(seed, sizes, s_A, step, words):
    """5.2 and 5.3 for random pairs, one slow entry and fast others, whatever the groups."""
    d, N, k, T = sizes
    rng = np.random.default_rng(seed)
    model, target = random_model(rng, d, N, k, s_A), random_model(rng, d, N, k, s_A)
    slow = rng.integers(d), rng.integers(N)
    for x in (model, target):
        x.A[...] = x.A * 3 - rng.choice([0.0, 2.0])
        x.A[slow] = s_A
    other = blend(model, target, step)
    vocabulary = rng.normal(size=(rng.integers(1, 5), d)) * rng.choice([0.1, 1.0, 3.0], size=d) if words else None
    u = rng.normal(size=(T, d)) if vocabulary is None else vocabulary[rng.integers(len(vocabulary), size=T)]
    B_u = float(np.linalg.norm(u if vocabulary is None else vocabulary, axis=1).max())
    labels = {
        "A": rng.integers(2, size=(d, N)), "rows": rng.integers(2, size=N), "columns": rng.integers(3, size=d)
    }  # fmt: skip
    M = None
    if vocabulary is not None:
        M = max(float(np.logaddexp(0.0, x.p + vocabulary @ x.q).max()) for x in (model, other))
    constants = smallest_class((model, other), B_u, labels, vocabulary, M)
    moved = np.linalg.norm(model(u) - other(u))
    assert moved <= claimed(constants, T, (model, other), B_u, labels, vocabulary) * NOISE + 1e-12


STEP = 1e-5
FAST, SLOW = 0.0, 0.02
LABELS = {"A": np.array([[0, 1], [1, 1]]), "rows": np.array([0, 1]), "columns": np.array([0, 1])}
WORDS = np.array([[1.5, 0.0], [0.0, 1.5]])


def concentrated(on: int, p: float) -> Model:
    """All output passes through channel and state ``on``: 0 the slow ones, 1 fast ones."""
    unit = np.eye(2)[on]
    only = np.outer(unit, unit)
    return Model(
        A=np.array([[SLOW, FAST], [FAST, FAST]]), W_B=1.3 * only, W_C=0.7 * only, q=np.zeros(2), p=p, W=2.0 * unit[None]
    )


MOVES = {
    "A": lambda x, on: {"A": x.A - STEP * np.outer(np.eye(2)[on], np.eye(2)[on])},
    "B": lambda x, on: {"W_B": x.W_B * (1 - STEP)},
    "C": lambda x, on: {"W_C": x.W_C * (1 - STEP)},
    "w": lambda x, on: {"W": x.W * (1 - STEP)},
    "g": lambda x, on: {"p": x.p - STEP},
}


@pytest.mark.parametrize("words", [None, WORDS], ids=["spectral", "vocabulary"])
@pytest.mark.parametrize("on", [0, 1], ids=["slow", "fast"])
@pytest.mark.parametrize("block", MOVES)
def test_no_group_coefficient_can_be_lowered(block, on, words):
    """3 % off any coefficient is refuted. (The gate's is the slowest group's; for a small gate, so M T is small.)"""
    model = concentrated(on, -7.0 if block == "g" else 1.0)
    other = model.moved(**MOVES[block](model, on))
    u = np.tile(WORDS[on], (40, 1))
    moved = np.linalg.norm(model(u) - other(u))
    constants = smallest_class((model, other), 1.5, LABELS, words, None)
    allowed = claimed(constants, 40, (model, other), 1.5, LABELS, words)
    assert 0.98 * allowed < moved <= allowed * NOISE


def test_a_fast_bound_for_the_slow_group_is_refuted():
    """The same move under the coefficient of the other group exceeds what it would allow."""
    model = concentrated(0, 1.0)
    other = model.moved(**MOVES["B"](model, 0))
    u = np.tile(WORDS[0], (40, 1))
    beta = coefficients(smallest_class((model, other), 1.5, LABELS, None, None), 40)
    change = spectral(model.W_B - other.W_B)
    moved = np.linalg.norm(model(u) - other(u))
    assert beta["B.2"].float_upper() * change < moved <= beta["B.1"].float_upper() * change * NOISE


def test_groups_are_not_a_product():
    """Group by group the centres leave the class (d = N = 2): a move of 4.93 against a claimed 4.74.

    Each row of W_B and W_C and each column of W is within its own ball of radius 1 and near its centre, but the matrix
    of the centres has norm sqrt 2. Inside the class the claim is kept: by the packing's centres.
    """
    half = math.sqrt(0.5)
    labels = {"A": np.zeros((2, 2), int), "rows": np.array([0, 1]), "columns": np.array([0, 1])}
    direction = np.array([half, half])
    rows = np.array([direction, direction])
    inside = Model(A=np.zeros((2, 2)), W_B=rows * half, W_C=rows * half, q=np.zeros(2), p=0.0, W=direction[None])
    centres = inside.moved(W_B=rows, W_C=rows, W=np.ones((1, 2)))
    T = 4
    u = np.tile(direction, (T, 1))
    moved = float(np.linalg.norm(inside(u) - centres(u)))
    honest = smallest_class((inside, inside), 1.0, labels, None, None)
    assert spectral(inside.W_B) == pytest.approx(1) and spectral(centres.W_B) == pytest.approx(math.sqrt(2))
    for g in (0, 1):  # every group of the centres lies in its ball
        assert spectral(centres.W_B[[g]]) <= 1 + 1e-15 and spectral(centres.W[:, [g]]) <= 1
    claim = claimed(honest, T, (inside, centres), 1.0, labels, None)
    unit = 4.93 / (2 * math.sqrt(2) - 1)  # in units of the class's largest output, R_1
    assert moved * unit / (T * math.log(2)) == pytest.approx(4.93, abs=0.005)
    assert claim * unit / (T * math.log(2)) == pytest.approx(4.74, abs=0.005)
    assert moved > 1.04 * claim
    both = smallest_class((inside, centres), 1.0, labels, None, None)
    assert moved <= claimed(both, T, (inside, centres), 1.0, labels, None)


def test_the_small_kappa_must_not_be_divided_by_spectral_norms():
    """5.3: kappa_v R_1/B_B is no coefficient of W_B in the spectral norm, nor kappa_v R_1/B_w one of W."""
    words = np.array([[1.5, 0.0]])  # no word reads the second channel, along which W_B and W are large
    model = Model(A=np.full((2, 1), -0.1), W_B=np.array([[0.5, 40.0]]), W_C=np.array([[1.0, 0.0]]), q=np.zeros(2),
                  p=1.0, W=np.array([[2.0, 30.0]]))  # fmt: skip
    u = np.tile(words[0], (30, 1))
    labels = {"A": np.zeros((2, 1), int), "rows": np.zeros(1, int), "columns": np.zeros(2, int)}
    constants = smallest_class((model, model), 1.5, labels, words, None)
    beta = coefficients(constants, 30)
    kappa_R_1 = beta["B"].float_upper() * constants.B_B
    for name, block, change in (
        ("W_B", "B", np.array([[STEP, 0.0]])),
        ("W", "w", np.array([[STEP, 0.0]])),
    ):
        moved = np.linalg.norm(model(u) - model.moved(**{name: getattr(model, name) - change})(u))
        assert moved > 10 * kappa_R_1 / spectral(getattr(model, name)) * STEP
        allowed = beta[block].float_upper() * norms(words)[name](change)
        assert 0.98 * allowed < moved <= allowed * NOISE


def test_the_packing_number_is_that_of_the_volumes():
    """In one dimension each: W in a disc of radius 1, groups of one entry, against a greedy packing of the disc."""
    constants = ClassConstants(
        d=2, N=1, k=1, V=None, gate="none", s_A=-0.1, B_A=1, M_A=None, B_u=1, B_B=1, M_B=None, B_C=1, M_C=None, B_q=0,
        M_q=None, p_lo=0, p_hi=0, B_w=1, M_w=None,
        groups=DecayGroups((Group(2, -0.1),), (Group(1, -0.1),), (Group(1, -0.1), Group(1, -0.5))),
    )  # fmt: skip
    found = covers(constants)
    radii = {"w.1": 0.3, "w.2": 0.2}
    allowed = math.exp(sum(found[name].log_covering(eps).float_upper() for name, eps in radii.items()))
    assert all(isinstance(found[name], GroupVolume) for name in radii)
    steps = np.linspace(-1, 1, 81)
    disc = np.array([(x, y) for x in steps for y in steps if x * x + y * y <= 1])
    centres: list[np.ndarray] = []
    for point in disc:  # maximal: every point ends within 1 of a centre in max_g |X_g|/eps_g
        if all(max(abs(point - centre) / (0.3, 0.2)) > 1 for centre in centres):
            centres.append(point)
    assert len(centres) <= allowed == pytest.approx((1 + 2 / 0.3) * (1 + 2 / 0.2))
    assert allowed < 6 * len(centres)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": DecayGroups((Group(11, -0.1),), (Group(3, -0.1),), (Group(4, -0.1),))}, "A hold 11 items of 12"),
        ({"groups": DecayGroups((Group(12, -0.1),), (Group(3, -0.2),), (Group(4, -0.1),))}, "must be s_A"),
        ({"groups": DecayGroups((Group(12, -0.1),), (Group(3, -0.1),), (Group(1, -0.1), Group(3, -9.0)))}, "-B_A"),
        ({"norms": "vocabulary", "V": 5}, "fixed embedding"),
        ({"norms": "vocabulary", "M_B": 1.0}, "fixed embedding"),
        ({"norms": "l2"}, "'spectral' or 'vocabulary'"),
    ],
)
def test_classes_that_make_no_sense(changes, message):
    constants = ClassConstants(
        d=4, N=3, k=1, V=None, gate="softplus", s_A=-0.1, B_A=3.0, M_A=None, B_u=1, B_B=1, M_B=None, B_C=1, M_C=None,
        B_q=1, M_q=None, p_lo=0, p_hi=1, B_w=1, M_w=None,
    )  # fmt: skip
    with pytest.raises(DomainError, match=message):
        replace(constants, **changes)


def test_decays_must_agree_with_the_constants():
    entries = ((-0.1, -2.0, -3.0),) * 4
    assert replace(MODEL, decays=entries).decays == entries
    for wrong in (entries[:3], ((-0.1, -2.0),) * 4, ((-0.2, -2.0, -3.0),) * 4, ((-0.1, -2.0, -4.0),) * 4):
        with pytest.raises(DomainError, match="decays"):
            replace(MODEL, decays=wrong)


@pytest.mark.parametrize(("ordered", "items"), [(True, 5), (False, 4)])
def test_split_weights_sum_to_one(ordered, items):
    """Over every number of groups and every labelling (for sorted items: every pair of sizes)."""
    total = Fraction(0)
    for groups in range(1, MOST_GROUPS + 1):
        for labels in itertools.product(range(groups), repeat=items):
            if not ordered or list(labels) == sorted(labels):
                total += Split("A", labels, groups, ordered).weight
    assert total == 1


def slow_model(seed: int = 0, d: int = 6, N: int = 4, s: float = -0.003, words: bool = False) -> MeasuredConstants:
    rng = np.random.default_rng(seed)
    A = -rng.uniform(0.1, 4, size=(d, N))
    A[2, 1] = s
    found = replace(
        MODEL, d=d, N=N, s_A=A.max(), B_A=abs(A).max(), M_A=abs(A).sum(), decays=tuple(map(tuple, A.tolist()))
    )
    return replace(found, v_B=2.5, v_C=1.5, v_w=4.0) if words else found


def shells(measured: MeasuredConstants, **changes: object) -> list[SelectedClass]:
    options = {"margin": 1, "embedding_in_class": False, "vocabulary": False} | changes
    return list(selected_classes(measured, Sample(25000, 500), groups=True, **options))


def cost(selected: SelectedClass, T: int = 500) -> float:
    entropy: Product = output_entropy(selected.constants, coefficients(selected.constants, T))
    return float(entropy.approximate(np.array([math.log(0.5)]))[0]) + float(selected.price.upper)


@pytest.mark.parametrize("s", [-2.0, -0.003, 0.0, 0.05])
@pytest.mark.parametrize("words", [False, True])
def test_the_class_contains_the_model(s, words):
    measured = slow_model(s=s, words=words)
    decays = item_decays(measured)
    for shell in shells(measured, vocabulary=words):
        for selected in (one_group(shell, measured), split(shell, measured, Sample(25000, 500), 0.5)):
            groups = selected.constants.groups
            for part in selected.splits:
                found = getattr(groups, part.name)
                assert part.sizes == tuple(group.items for group in found)
                for label, decay in zip(part.labels, decays[part.name], strict=True):
                    assert decay <= found[label].s_A
            tight = measured_groups(selected.splits, measured)
            for part in selected.splits:
                for loose, exact in zip(getattr(groups, part.name), getattr(tight, part.name), strict=True):
                    assert exact.s_A <= loose.s_A and exact.items == loose.items
            if words:
                assert selected.constants.B_w >= 2.5 * 1.5 * 4.0 * (1 - 1e-15)


def test_rows_are_sorted_and_everything_else_follows():
    measured = slow_model()
    decays = item_decays(measured)
    rows, A = np.array(decays["rows"]), np.array(decays["A"]).reshape(6, 4)
    assert (np.diff(rows) <= 0).all()
    assert (A.max(axis=0) == rows).all() and (A.max(axis=1) == decays["columns"]).all()
    assert sorted(A.ravel()) == sorted(a for row in measured.decays for a in row)


def test_permuting_states_is_free_and_permuting_channels_changes_no_price():
    measured = slow_model()
    states = replace(measured, decays=tuple(tuple(row[n] for n in (3, 1, 0, 2)) for row in measured.decays))
    channels = replace(measured, decays=measured.decays[::-1])
    sample = Sample(25000, 500)
    one, two, three = (split(shells(x)[0], x, sample, 0.5) for x in (measured, states, channels))
    assert one == two
    assert one.constants == three.constants and one.weight == three.weight


@pytest.mark.parametrize("seed", range(4))
def test_the_programme_is_near_the_best_of_all_two_group_splits(seed):
    """Exhaustively over thresholds of A and of the columns and sizes of the rows: within 1 % of the best cost."""
    measured = slow_model(seed, d=4, N=3)
    shell = shells(measured)[0]
    decays = item_decays(measured)
    best = math.inf
    cuts = {name: [*sorted(set(found), reverse=True), -math.inf] for name, found in decays.items()}
    for cut in itertools.product(*(cuts[name][::2] for name in ("A", "rows", "columns"))):
        groups, cells, splits = {}, [], []
        for name, at in zip(("A", "rows", "columns"), cut, strict=True):
            labels = tuple(int(s <= at) for s in decays[name])
            if len(set(labels)) == 1:
                labels = (0,) * len(labels)
            bounds = [shell.constants.s_A]
            if max(labels):
                cell = abscissa_cells(at)[0]
                bounds.append(cell.value)
                cells.append(replace(cell, name=f"s_{name}.2"))
            groups[name] = tuple(Group(labels.count(g), bound) for g, bound in enumerate(bounds))
            splits.append(Split(name, labels, len(bounds), name == "rows"))
        candidate = replace(shell, constants=replace(shell.constants, groups=DecayGroups(**groups)),
                            cells=(*shell.cells, *cells), splits=tuple(splits))  # fmt: skip
        best = min(best, cost(candidate))
    found = cost(split(shell, measured, Sample(25000, 500), 0.5))
    assert found <= 1.01 * best
    assert best < 0.95 * cost(one_group(shell, measured))


def test_unmeasured_entries_leave_one_group():
    decays = item_decays(MODEL)
    assert {name: set(found) for name, found in decays.items()} == {name: {-0.1} for name in decays}
    assert [part.groups for part in one_group(shells(MODEL)[0], MODEL).splits] == [1, 1, 1]


def test_many_entries_are_thinned_to_levels():
    measured = slow_model(d=64, N=32, s=-1e-6)
    selected = split(shells(measured)[0], measured, Sample(25000, 500), 0.5)
    assert sum(selected.splits[0].sizes) == 64 * 32
    assert cost(selected) < 0.9 * cost(one_group(shells(measured)[0], measured))


def test_vocabulary_constants_must_be_measured():
    with pytest.raises(DomainError, match=r"theory 5\.3"):
        shells(slow_model(), vocabulary=True)
