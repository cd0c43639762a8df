"""Measured constants against exact fractions: no tolerance on the unsound side, a ceiling on the slack."""

import itertools
import math
from fractions import Fraction
from operator import mul

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.norms import exact as floats
from ssm_bounds.models.norms import spectral
from ssm_bounds.models.norms.spectral import is_spectral_bound
from ssm_bounds.models.selective_ssm import measure as norms
from ssm_bounds.models.selective_ssm.weights import Weights
from tests.conftest import SHARED

CHECKPOINTS = SHARED / "checkpoints"
SLACK = Fraction(1, 10**14)
ROWS = np.array([[-(2.0**537), 0, 0, 0], [0, 1.6, 0, 0], [0, 0, 1.4, 1.4]])  # 1.6^2 < 1.4^2 + 1.4^2, but once scaled
FACTORS = np.array([1, 1.6, 1.4, 1.4]) * [1, *[2.0**-537] * 3]  # 1.6^2 is rounded up to a float64 and 1.4^2 to 0

any_float = st.floats(-1e300, 1e300, allow_subnormal=True)
normal_size = st.one_of(
    st.just(0.0), st.floats(1e-200, 1e200), st.floats(-1e200, -1e-200), st.sampled_from([1.0, -1.0])
)


def matrices(elements, rows, columns):
    shapes = st.tuples(st.integers(*rows), st.integers(*columns))
    return shapes.flatmap(
        lambda shape: st.lists(
            st.lists(elements, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
        ).map(lambda lists: np.array(lists))
    )


def exact(array):
    return [Fraction(x) for x in np.asarray(array).ravel().tolist()]


def squares(vector):
    return sum((x * x for x in exact(vector)), Fraction(0))


def dot(x, y):
    return sum((a * b for a, b in zip(exact(x), exact(y), strict=True)), Fraction(0))


def below(x):
    return Fraction(math.nextafter(x, -math.inf))


def is_bound(value, matrix):
    """``value^2 I - W W^T`` >= 0, by exact elimination: a pivot of 0 must have zeros beside it."""
    rows = [[Fraction(x) for x in row] for row in matrix.tolist()]
    gram = [[sum(map(mul, x, y)) for y in rows] for x in rows]
    left = [[(value**2 if i == j else 0) - entry for j, entry in enumerate(row)] for i, row in enumerate(gram)]
    while left:
        (pivot, *beside), *below = left
        if pivot < 0 or (pivot == 0 and any(beside)):
            return False
        left = [[x - row[0] * y / pivot if pivot else x for x, y in zip(row[1:], beside, strict=True)] for row in below]
    return True


def is_least(bound, matrix):
    return is_bound(Fraction(bound), matrix) and (bound == 0 or not is_bound(below(bound), matrix))


def rayleigh(matrix):
    """``|W v|^2 / |v|^2`` exactly, at the float64 singular vector v: a lower bound of the squared spectral norm."""
    v = np.linalg.svd(np.ldexp(matrix, -int(np.frexp(np.abs(matrix).max())[1])))[2][0]
    return sum(dot(row, v) ** 2 for row in matrix) / squares(v)


def model(**changes):
    rng = np.random.default_rng(0)
    shapes = {"A": (3, 2), "W_B": (2, 3), "W_C": (2, 3), "q": (3,), "W": (4, 3), "embedding": (5, 3)}
    return Weights(**({name: rng.standard_normal(shape) for name, shape in shapes.items()} | {"p": -1.0} | changes))


@given(st.lists(any_float, min_size=1, max_size=20))
@example([1.0, 2.0**-60])
@example([1.0, 2.0**-53, 2.0**-53])
@example([5e-324, -5e-324])
def test_entrywise_l1_is_the_least_float_above(values):
    total = sum(map(abs, exact(values)))
    bound = norms.entrywise_l1(np.array(values))
    assert Fraction(bound) >= total
    assert bound == 0 or below(bound) < total


@given(st.lists(any_float, min_size=1, max_size=20))
@example([1.0, 2.0**-27])  # float64 rounds this norm down to 1
@example([5e-324])
@example([5e-324, 5e-324])
@example([3e200, 4e200])
@example([3e-200, 4e-200])
def test_l2_is_the_least_float_above(values):
    bound = norms.l2(np.array(values))
    assert Fraction(bound) ** 2 >= squares(values)
    assert bound == 0 or below(bound) ** 2 < squares(values)


def test_norms_beyond_float64_are_refused():
    with pytest.raises(DomainError, match="largest float64"):
        norms.entrywise_l1(np.array([1.7e308, 1.7e308]))
    with pytest.raises(DomainError, match="largest float64"):
        norms.spectral(np.full((2, 2), 1.7e308))


small = st.integers(-4, 4).map(float)
dyadic = st.tuples(st.integers(-(2**53), 2**53), st.integers(-60, -40)).map(lambda pair: math.ldexp(*pair))


@settings(deadline=None)
@given(matrices(st.one_of(normal_size, small, dyadic), rows=(1, 4), columns=(1, 6)))
@example(np.eye(3))
@example(np.array([[3.0, 0.0], [0.0, 4.0]]))
@example(np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]))  # 2 exactly, and dense
@example(np.array([[4.0, 3.0], [3.0, -4.0]]) * 0.2)  # 1 up to the last bits of 0.2
@example(np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1e-17], [0.0, 0.0, 1.0]]))  # a leading block at the norm
@example(np.diag([1e200, 1e200, 1e-200]))
@example(np.diag([1e-200, 1e-200]))
@example(np.array([[1.0, 1.0], [1.0, -1.0]]))  # repeated top singular value, sqrt 2
@example(np.outer([1.0, 2.0, 3.0], [1e-200, 1.0, 1e200]))  # rank one, graded
@example(np.array([[1.0, 1e-17], [0.0, 1.0]]))
@example(np.array([[1.0, 1e-60], [0.0, 1.0]]))  # so little above 1 that balls do not tell
def test_spectral_is_the_least_float_above(matrix):
    bound = norms.spectral(matrix)
    assert is_least(bound, matrix)
    assert norms.spectral(matrix.T) == bound
    if matrix.any():
        assert Fraction(bound) ** 2 <= rayleigh(matrix) * (1 + SLACK) ** 2


@settings(deadline=None)
@given(matrices(small, rows=(1, 4), columns=(1, 4)), st.integers(-900, 900))
def test_spectral_scales_with_powers_of_two(matrix, power):
    assert norms.spectral(np.ldexp(matrix, power)) == math.ldexp(norms.spectral(matrix), power)


@pytest.mark.parametrize("size", [8, 32, 64])
def test_a_norm_that_is_a_float_is_found(size):
    """A reflection times |v|^2 has no other singular value, and no zero entries."""
    v = np.random.default_rng(size).integers(1, 4, size).astype(float)
    matrix = np.eye(size) * (v @ v) - 2 * np.outer(v, v)
    assert norms.spectral(matrix) == v @ v
    matrix[0, 0] = math.nextafter(matrix[0, 0], math.inf * np.sign(matrix[0, 0]))
    assert norms.spectral(matrix) == math.nextafter(v @ v, math.inf)


def test_the_guess_decides_nothing(monkeypatch):
    matrix = np.random.default_rng(5).standard_normal((4, 7))
    bound, svd = norms.spectral(matrix), np.linalg.svd
    for off in (1e-15, 1e-9, 0.3):

        def guess(*arguments, off=off, **options):
            U, s, V = svd(*arguments, **options)
            return U, s, V + off * np.roll(V, 1, axis=1)

        monkeypatch.setattr(np.linalg, "svd", guess)
        assert norms.spectral(matrix) == bound


@settings(deadline=None, max_examples=30)
@given(matrices(st.floats(-1e3, 1e3, width=32), rows=(2, 4), columns=(2, 5)))
def test_spectral_against_fifty_digits(matrix):
    with mpmath.workdps(50):
        true = max(mpmath.svd_r(mpmath.matrix(matrix.tolist()), compute_uv=False))
        bound = mpmath.mpf(norms.spectral(matrix))
        assert bound >= true * (1 - mpmath.mpf(10) ** -45)  # what 50 digits are off by themselves
        assert bound <= true * (1 + mpmath.mpf(10) ** -14)


@settings(deadline=None)
@given(matrices(st.one_of(normal_size, small), rows=(2, 4), columns=(2, 5)))
def test_a_lowered_bound_is_not_verified(matrix):
    assume(matrix.any())
    bound = norms.spectral(matrix)
    assert is_spectral_bound(bound, matrix)
    assert is_spectral_bound(2 * bound, matrix)
    assert not is_spectral_bound(math.nextafter(bound, 0), matrix)
    assert not is_spectral_bound(0.0, matrix)


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_verification_decides_to_the_last_bit(n):
    orthogonal = np.roll(np.diag((-1.0) ** np.arange(n)), 1, axis=0) * 0.75  # every singular value is 3/4
    for matrix in (orthogonal, np.diag([0.5] * (n - 1) + [0.75])):
        assert is_spectral_bound(0.75, matrix)
        assert not is_spectral_bound(math.nextafter(0.75, 0), matrix)


def test_spectral_of_subnormal_entries_is_above():
    matrix = np.array([[5e-324, 1e-323], [0.0, 5e-324]])
    assert Fraction(norms.spectral(matrix)) ** 2 >= squares(matrix) / 2


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1)])
def test_spectral_of_a_vector_is_its_l2_norm(shape):
    vector = np.random.default_rng(1).standard_normal(shape)
    assert norms.spectral(vector) == norms.l2(vector)


@pytest.mark.parametrize("shape", [(64, 64), (10, 300), (300, 10)])
def test_spectral_of_large_matrices(shape):
    matrix = np.random.default_rng(2).standard_normal(shape)
    assert 1 <= Fraction(norms.spectral(matrix)) ** 2 / rayleigh(matrix) <= (1 + SLACK) ** 2


def test_blocks_that_cannot_be_solved_are_not_verified():
    """Balls so wide that one order of elimination proves a block positive and another divides by zero."""
    rows = [[5, 6, -1], [6, 13, -13], [-1, -13, 27]]
    block = flint.arb_mat([[flint.arb(x, 0.06798221595218208) for x in row] for row in rows])
    assert spectral._definiteness(block) == 1
    whole = flint.arb_mat([row + [0] * 3 for row in block.tolist()] + [[0] * 3 + row for row in block.tolist()])
    assert spectral._definiteness(whole) == 0
    assert spectral._definiteness(flint.arb_mat([[1, 2], [2, 3]])) == -1


@settings(deadline=None)
@given(matrices(any_float, rows=(1, 8), columns=(1, 4)))
@example(np.eye(5))
@example(np.zeros((2, 2)))
@example(np.array([[1.0, 2.0**-27], [1.0, 0.0], [1.0, 2.0**-28]]))  # equal in float64
@example(np.array([[5e-324, 0.0], [5e-324, 5e-324]]))
@example(np.array([[1.0, 0.0, 0.0, 0.0], [0.7, 0.7, 0.7, 0.7]]) * 2.0**-537)  # squares underflow, in the wrong order
def test_max_row_l2_is_the_least_float_above(rows):
    largest = max(map(squares, rows))
    bound = norms.max_row_l2(rows)
    assert Fraction(bound) ** 2 >= largest
    assert bound == 0 or below(bound) ** 2 < largest


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda d: st.tuples(
            matrices(st.floats(-1e150, 1e150), rows=(1, 8), columns=(d, d)),
            st.lists(st.floats(-1e150, 1e150), min_size=d, max_size=d).map(np.array),
        )
    ),
    any_float,
)
@example((np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]]), np.array([2.0**60, 1.0])), -(2.0**60))  # equal in float64
@example((np.array([[1.0, -1.0], [0.0, 5e-324]]), np.array([1.0, 1.0])), 0.0)  # cancels, underflows
@example((np.array([[1e-200, 0.0], [2e-200, 1.0]]), np.array([1e-200, 0.0])), 0.0)
@example((ROWS, FACTORS), 0.0)
def test_max_logit_is_the_least_float_above(pair, p):
    rows, q = pair
    largest = Fraction(p) + max(dot(row, q) for row in rows)
    bound = norms.max_logit(rows, q, p)
    assert Fraction(bound) >= largest > below(bound)


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda d: st.tuples(
            matrices(st.floats(-1e150, 1e150), rows=(1, 8), columns=(d, d)),
            matrices(st.floats(-1e150, 1e150), rows=(1, 3), columns=(d, d)),
        )
    )
)
@example((np.array([[1.0, 2.0**-27], [1.0, 0.0], [1.0, 2.0**-28]]), np.eye(2)))  # equal in float64
@example((np.array([[1.0, -1.0], [2.0**-60, 0.0]]), np.ones((1, 2))))  # the larger row cancels
@example((np.array([[1.0, -1.0]]), np.ones((2, 2))))  # nothing is left
@example((np.array([[1e-200, 0.0], [2e-200, 1.0]]), np.array([[1e-200, 0.0]])))
@example((ROWS, np.array([FACTORS])))
@example((np.zeros((2, 2)), np.eye(2)))
def test_max_image_l2_is_the_least_float_above(pair):
    rows, matrix = pair
    largest = max(sum(dot(by, row) ** 2 for by in matrix) for row in rows)
    bound = norms.max_image_l2(rows, matrix)
    assert Fraction(bound) ** 2 >= largest
    assert bound == 0 or below(bound) ** 2 < largest


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda d: st.tuples(
            matrices(st.floats(-1e3, 1e3, width=32), rows=(1, 6), columns=(d, d)),
            matrices(st.floats(-1e3, 1e3, width=32), rows=(1, 3), columns=(d, d)),
        )
    )
)
def test_max_readout_l1_is_above_every_sign_pattern(pair):
    """The sup over unit a of |(W^T a) o e|_1 is the largest |W (signs o e)|_2; for one output the bound is exact."""
    rows, W = pair
    bound = Fraction(norms.max_readout_l1(rows, W))
    signs = [np.array(s) for s in itertools.product((-1, 1), repeat=rows.shape[1])]
    largest = max(sum(dot(w, s * row) ** 2 for w in W) for s in signs for row in rows)
    assert bound**2 >= largest
    if len(W) == 1:
        assert bound == 0 or below(float(bound)) ** 2 < largest
    assert bound**2 <= 2 * len(W) * largest  # |a_1| is sqrt(2/(pi k)) at least on average over the unit sphere


def test_screening_keeps_the_longest_image(permuted):
    matrix = np.full((2, 512), 0.1)
    assert in_order(permuted * 0.1) != 123
    bound = norms.max_image_l2(permuted, matrix)
    assert Fraction(bound) ** 2 >= 2 * dot(permuted[123], matrix[0]) ** 2 > below(bound) ** 2


def in_order(terms):
    """The row of the largest float64 sum, added up one by one, the same on every machine."""
    return np.argmax(np.cumsum(terms, axis=1)[:, -1])


@pytest.fixture
def permuted():
    """Permutations of one row, over which float64 sums differ, and among them one that is longer by a few bits."""
    rng = np.random.default_rng(3)
    row = rng.uniform(0.5, 1, 512)
    rows = np.array([rng.permutation(row) for _ in range(500)])
    rows[123, 4] += 2e-13
    return rows


def test_screening_keeps_the_longest_row(permuted):
    assert in_order(np.square(permuted)) != 123
    bound = norms.max_row_l2(permuted)
    assert Fraction(bound) ** 2 >= squares(permuted[123]) > below(bound) ** 2


def test_screening_keeps_the_largest_logit(permuted):
    q = np.full(512, 0.1)
    assert in_order(permuted * q) != 123
    largest = dot(permuted[123], q)
    rounded = norms.max_logit(permuted, q, -float(largest))  # what is left is the last bits
    assert Fraction(rounded) >= largest - Fraction(float(largest)) > below(rounded)


def test_equal_rows_are_summed_exactly_only_once(monkeypatch):
    counted = []
    integers = floats.integers
    for module in (floats, norms):
        monkeypatch.setattr(module, "integers", lambda array: counted.append(1) or integers(array))
    assert norms.max_row_l2(np.eye(50) * 3) == 3
    rows = np.random.default_rng(4).standard_normal((50, 3)) * [1, 0, 1] + [0, 5, 0]
    assert norms.max_logit(rows, np.array([0.0, 0.5, 0.0]), 1.0) == 3.5
    assert len(counted) == 1 + 2


def test_measure_names_every_constant():
    weights = model()
    constants = norms.measure(weights, gate="softplus")
    assert (constants.d, constants.N, constants.k, constants.V) == (3, 2, 4, 5)
    assert (constants.s_A, constants.B_A) == (weights.A.max(), np.abs(weights.A).max())
    assert constants.p == -1.0
    assert norms.entrywise_l1(weights.A) == constants.M_A
    assert norms.max_row_l2(weights.embedding) == constants.B_u
    for letter, block in (("B", weights.W_B), ("C", weights.W_C), ("w", weights.W)):
        assert getattr(constants, f"B_{letter}") == norms.spectral(block)
        assert getattr(constants, f"M_{letter}") == norms.entrywise_l1(block)
    assert (constants.B_q, constants.M_q) == (norms.l2(weights.q), norms.entrywise_l1(weights.q))
    assert constants.logit_max == norms.max_logit(weights.embedding, weights.q, -1.0)
    assert constants.decays == tuple(map(tuple, weights.A.tolist()))
    assert constants.v_B == norms.max_image_l2(weights.embedding, weights.W_B)
    assert constants.v_C == norms.max_image_l2(weights.embedding, weights.W_C)
    assert norms.max_readout_l1(weights.embedding, weights.W) > constants.v_w  # so B_w B_u serves
    assert Fraction(constants.v_w) >= Fraction(constants.B_w) * Fraction(constants.B_u) > below(constants.v_w)
    one = norms.measure(model(W=weights.W[:1]), gate="softplus")
    assert one.v_w == norms.max_readout_l1(weights.embedding, weights.W[:1]) < one.B_w * one.B_u


def test_vocabulary_constants_are_measured_where_they_are_needed():
    fixed = norms.measure(model(), gate="none")
    assert fixed.logit_max is None and None not in (fixed.v_B, fixed.v_C, fixed.v_w)
    for constants in (
        norms.measure(model(), gate="softplus", vocabulary=False),
        norms.measure(model(embedding=None), gate="softplus", input_bound=1.0),
    ):
        assert (constants.v_B, constants.v_C, constants.v_w, constants.logit_max) == (None,) * 4


def test_a_positive_spectral_abscissa_keeps_its_sign():
    assert norms.measure(model(A=np.array([[-2.0, 0.25], [-1.0, -1.0], [-3.0, -1.0]])), gate="softplus").s_A == 0.25


def test_gate_none_leaves_the_gate_out():
    constants = norms.measure(model(), gate="none")
    assert (constants.p, constants.B_q, constants.M_q, constants.logit_max) == (0, 0, 0, None)


def test_real_valued_inputs_take_the_given_bound():
    constants = norms.measure(model(embedding=None), gate="softplus", input_bound=2.5)
    assert (constants.B_u, constants.V, constants.logit_max) == (2.5, None, None)


@pytest.mark.parametrize("bound", [None, 0.0, -1.0, math.inf, math.nan])
def test_real_valued_inputs_need_a_bound(bound):
    with pytest.raises(ValueError, match=r"^input_bound: .*finite and above 0, got .*$"):
        norms.measure(model(embedding=None), gate="softplus", input_bound=bound)


def test_an_embedding_takes_no_bound():
    with pytest.raises(ValueError, match=r"^input_bound: the embedding's rows bound the inputs, got 1.0 as well$"):
        norms.measure(model(), gate="softplus", input_bound=1.0)


@pytest.mark.parametrize("power", [-3, 5])
def test_scaling_by_a_power_of_two_scales_the_norms_exactly(power):
    weights, scale = model(), 2.0**power
    before = norms.measure(weights, gate="softplus")
    after = norms.measure(model(W_B=weights.W_B * scale), gate="softplus")
    assert before.B_B * scale == after.B_B
    assert before.M_B * scale == after.M_B
    assert before.B_C == after.B_C


def test_permuting_channels_changes_no_sum():
    weights, order = model(), [2, 0, 1]
    permuted = model(
        A=weights.A[order],
        W_B=weights.W_B[:, order],
        W_C=weights.W_C[:, order],
        q=weights.q[order],
        W=weights.W[:, order],
        embedding=weights.embedding[:, order],
    )
    before, after = norms.measure(weights, gate="softplus"), norms.measure(permuted, gate="softplus")
    names = "s_A", "B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "B_w", "M_w", "logit_max"
    for name in names:
        assert getattr(before, name) == getattr(after, name)


@pytest.mark.parametrize("name", ["majority_T200_m1000_seed1", "listops_T100_m1000_seed1", "imdb_T500_m25000_seed1"])
def test_measure_of_the_authors_models(name):
    path = CHECKPOINTS / f"{name}.pth"
    if not path.exists():
        pytest.skip(f"shared checkpoint {path.name} is not here")
    weights = checkpoint.read(path).weights
    constants = norms.measure(weights, gate="softplus")
    for bound, block in ((constants.B_B, weights.W_B), (constants.B_C, weights.W_C), (constants.B_w, weights.W)):
        assert is_least(bound, block)
    longest = weights.embedding[np.argsort(np.linalg.norm(weights.embedding, axis=1))[-50:]]
    assert Fraction(constants.B_u) ** 2 >= max(map(squares, longest)) > below(constants.B_u) ** 2
    for bound, block in ((constants.v_B, weights.W_B), (constants.v_C, weights.W_C)):
        largest = weights.embedding[np.argsort(np.linalg.norm(weights.embedding @ block.T, axis=1))[-50:]]
        exact_largest = max(sum(dot(by, row) ** 2 for by in block) for row in largest)
        assert Fraction(bound) ** 2 >= exact_largest > below(bound) ** 2
    likeliest = weights.embedding[np.argsort(weights.embedding @ weights.q)[-50:]]
    logit = Fraction(weights.p) + max(dot(row, weights.q) for row in likeliest)
    assert Fraction(constants.logit_max) >= logit > below(constants.logit_max)
