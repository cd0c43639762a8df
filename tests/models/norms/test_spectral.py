"""Spectral norms with more than 64 rows and columns: against exact polynomials, other BLAS, wrong
guesses, and what its constants stand for."""

import math
from fractions import Fraction

import flint
import numpy as np
import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.norms import enclosure
from ssm_bounds.models.norms import spectral as module
from ssm_bounds.models.norms.exact import exponent, integers, square
from ssm_bounds.models.norms.spectral import is_spectral_bound, spectral


def rational(x):
    x = Fraction(x)
    return flint.fmpq(x.numerator, x.denominator)


def characteristic(matrix):
    """Of ``W W^T``, and its unit: exact, and all its roots are real."""
    entries, unit = integers(matrix)
    w = flint.fmpz_mat(*matrix.shape, entries)
    return flint.fmpq_poly((w * w.transpose()).charpoly()), unit


def is_bound(value, polynomial, unit):
    """No root above ``value^2``: all are real, so just if the Taylor coefficients there are at least 0."""
    moved = polynomial(flint.fmpq_poly([rational((Fraction(value) / unit) ** 2), 1]))
    return all(coefficient >= 0 for coefficient in moved.coeffs())


def next_below(value):
    """The 24-bit number before one."""
    mantissa, power = math.frexp(value)
    assert (mantissa * 2**24).is_integer()
    return math.ldexp(mantissa * 2**24 - 1 if mantissa > 0.5 else 2**24 - 0.5, power - 24)


def next_above(value):
    mantissa, power = math.frexp(value)
    return math.ldexp(mantissa * 2**24 + 1, power - 24)


def up(value):
    """The least 24-bit number at least a value."""
    mantissa, power = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * 2**24), power - 24)


def whole(rng, *shape, size=9):
    return rng.integers(-size, size + 1, shape).astype(float)


def reflection(size, seed=0):
    """v.v times an orthogonal matrix of integers, without a zero, and v.v."""
    v = np.random.default_rng(seed).integers(1, 4, size).astype(float)
    return np.eye(size) * (v @ v) - 2 * np.outer(v, v), float(v @ v)


def hidden(size):
    """A norm of 24 bits that is no row's length, of no diagonal Gram matrix and of no single singular value."""
    Q, length = reflection(size)
    return Q * [2.0, *[1.0] * (size - 1)], 2 * length


@pytest.mark.parametrize("seed", range(6))
def test_the_least_of_the_grid_above_the_exact_norm(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(65, 81))
    matrix = whole(rng, n, int(rng.integers(n, 100)), size=int(rng.choice([1, 9, 1000])))
    bound = spectral(matrix)
    exact = characteristic(matrix)
    assert is_bound(bound, *exact)
    assert not is_bound(next_below(bound), *exact)
    assert is_bound(bound, *exact) and not is_bound(bound * (1 - 1e-6), *exact)
    assert spectral(matrix.T) == bound


@pytest.mark.parametrize("build", ["floats", "rank one", "zero rows", "decaying", "repeated", "float32", "nearly"])
def test_matrices_of_many_kinds(build):
    rng = np.random.default_rng(1)
    W = rng.standard_normal((66, 70))
    Q = np.linalg.qr(W)[0]
    matrix = {
        "floats": lambda: W,
        "rank one": lambda: np.outer(W[:, 0], W[0]),
        "zero rows": lambda: W * (np.arange(66) % 3 == 0)[:, None],
        "decaying": lambda: W * 10.0 ** -np.arange(66)[:, None],
        "repeated": lambda: np.vstack([W, W[::-1]]),
        "float32": lambda: W.astype(np.float32).astype(float),
        "nearly": lambda: Q,  # orthogonal but for rounding: all singular values within 1e-15 of a candidate
    }[build]()
    bound, exact = spectral(matrix), characteristic(matrix if len(matrix) <= matrix.shape[1] else matrix.T)
    assert is_bound(bound, *exact)
    assert not is_bound(next_below(bound), *exact)


def test_the_grid_starts_above_64_rows_and_columns():
    W = np.random.default_rng(2).standard_normal((65, 80))
    assert spectral(W[:64]) != up(spectral(W[:64]))
    assert spectral(W[:, :64]) != up(spectral(W[:, :64]))
    assert spectral(W) == up(spectral(W))
    assert spectral(W[:, :65]) == up(spectral(W[:, :65]))


@pytest.mark.parametrize("size", [65, 81])
def test_a_norm_on_the_grid_is_found(size):
    Q, length = reflection(size)
    shifted = np.roll(np.diag((-1.0) ** np.arange(size)), 1, axis=0)
    for matrix, norm in (
        (np.eye(size), 1.0),
        (0.75 * shifted, 0.75),
        (np.ones((size, size)), float(size)),
        (np.diag([*[0.5] * (size - 1), 0.75]), 0.75),
        (Q, length),
        (np.hstack([3 * Q, 4 * Q]), 5 * length),
        (np.outer([6.0] + [1.0] * 64 + [0] * (size - 65), [3.0, 4.0, *[0.0] * 80]), 50.0),  # by |W|_F alone
        (np.outer([2.0] * 64 + [0] * (size - 64), [1.0, *[0.0] * 69]), 16.0),
    ):
        assert spectral(matrix) == norm
    for row in (0, size - 1):  # one bit more is above
        more = Q.copy()
        more[row, row] = math.nextafter(more[row, row], math.inf * np.sign(more[row, row]))
        assert spectral(more) == next_above(length)


def test_a_norm_on_the_grid_without_a_plain_proof_comes_out_one_step_higher(monkeypatch):
    """As documented: sound, within 2^-23, and the same whatever the floats say."""
    matrix, norm = hidden(65)
    exact = characteristic(matrix)
    assert is_bound(norm, *exact) and not is_bound(next_below(norm), *exact)
    assert not is_spectral_bound(norm, matrix)
    assert is_spectral_bound(norm * (1 + 2.0**-52), matrix)
    assert spectral(matrix) == next_above(norm) <= norm * (1 + 2.0**-22)
    for seed in range(3):
        monkeypatch.setattr(enclosure, "_times", noisy(seed))
        assert spectral(matrix) == next_above(norm)
    tried, in_balls = [], module._in_balls
    monkeypatch.setattr(module, "_in_balls", lambda rest, bits: tried.append(bits) or in_balls(rest, bits))
    assert not is_spectral_bound(norm, matrix)
    assert tried == [128, 128 + 65]  # the determinant says that more are of no use


def test_what_is_left_undecided_is_not_a_bound(monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 1)
    matrix = np.array([[1.0, 2, 0], [2, 1, 0], [1, 1, 1]]) @ np.diag([1, 1, 0.5])
    root = math.sqrt(max(np.linalg.eigvalsh(matrix @ matrix.T)))
    assert is_spectral_bound(root * (1 + 1e-15), matrix) and not is_spectral_bound(root * (1 - 1e-15), matrix)
    monkeypatch.setattr(module, "_in_balls", lambda rest, precision: 0)
    assert not is_spectral_bound(root * (1 + 1e-9), matrix)
    assert is_spectral_bound(10.0, matrix)  # plainly


def in_order(x, y, order=None):
    """Products added up one by one."""
    order = range(x.shape[1]) if order is None else order
    total = np.zeros((len(x), y.shape[1]))
    for k in order:
        total += np.multiply.outer(x[:, k], y[k])
    return total


def permuted(seed):
    return lambda x, y: in_order(x, y, np.random.default_rng(seed).permutation(x.shape[1]))


def in_pairs(x, y):
    terms = [np.multiply.outer(x[:, k], y[k]) for k in range(x.shape[1])]
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + ([terms[-1]] if len(terms) % 2 else [])
    return terms[0]


def noisy(seed):
    """Anything within what is believed of a product, a little less than gamma_n."""

    def times(x, y):
        signs = np.random.default_rng(seed).choice([-1, 1], (len(x), y.shape[1]))
        return x @ y + 0.5 * x.shape[1] * 2.0**-53 * signs * (np.abs(x) @ np.abs(y))

    return times


def samples():
    """One ordinary, and three whose norm is within the floats' margin of a candidate."""
    Q, _ = reflection(65)
    near = Q.copy()
    near[0, 0] = math.nextafter(Q[0, 0], -math.inf)
    ordinary = np.random.default_rng(3).standard_normal((65, 72))
    return [ordinary, Q, near, np.linalg.qr(ordinary.T)[0]]


@pytest.mark.parametrize("times", [in_order, permuted(0), permuted(1), in_pairs, noisy(0), noisy(1)])
def test_another_blas_gives_the_same_norm(times, monkeypatch):
    matrices = samples()
    norms = [spectral(matrix) for matrix in matrices]
    ends = [enclosure.enclosure(np.ldexp(matrix, -exponent(matrix))) for matrix in matrices]
    monkeypatch.setattr(enclosure, "_times", times)
    assert norms == [spectral(matrix) for matrix in matrices]
    assert ends != [enclosure.enclosure(np.ldexp(matrix, -exponent(matrix))) for matrix in matrices]


@pytest.mark.parametrize("off", [1e-15, 1e-9, 1e-3, 0.3])
def test_the_guess_decides_nothing(off, monkeypatch):
    matrices, eigh = samples()[:3], np.linalg.eigh
    norms = [spectral(matrix) for matrix in matrices]

    def guess(gram):
        values, vectors = eigh(gram)
        return values * (1 + off * np.sin(np.arange(len(values)))), vectors + off * np.roll(vectors, 1, axis=0)

    monkeypatch.setattr(np.linalg, "eigh", guess)
    assert [spectral(matrix) for matrix in matrices] == norms


def test_a_guess_of_any_length_is_one(monkeypatch):
    matrix, eigh = samples()[0], np.linalg.eigh
    bound = spectral(matrix)
    for factor in (1e-160, 1e-100, 1e60):

        def guess(gram, factor=factor):
            values, vectors = eigh(gram)
            return values, vectors * ([1] * 64 + [factor])

        monkeypatch.setattr(np.linalg, "eigh", guess)
        assert spectral(matrix) == bound
    monkeypatch.setattr(np.linalg, "eigh", lambda gram: (np.full(65, math.nan), np.full((65, 65), math.nan)))
    with pytest.raises(ValueError):
        spectral(matrix)


def test_floats_decide_almost_always(monkeypatch):
    monkeypatch.setattr(module, "is_spectral_bound", None)
    for seed in range(20):
        spectral(np.random.default_rng(seed).standard_normal((65, 70)))


def test_order_and_signs_change_nothing():
    rng = np.random.default_rng(4)
    W = rng.standard_normal((67, 90))
    for _ in range(3):
        signs, rows, columns = rng.choice([-1, 1], 90), rng.permutation(67), rng.permutation(90)
        assert spectral((W * signs)[rows][:, columns]) == spectral(W)


@pytest.mark.parametrize("power", [-1000, -500, -3, 1, 500, 1000])
def test_powers_of_two_commute(power):
    for matrix in samples()[:3]:
        assert spectral(np.ldexp(matrix, power)) == math.ldexp(spectral(matrix), power)


def test_the_smallest_the_largest_and_both():
    W = np.random.default_rng(5).standard_normal((65, 65))
    tiny = np.round(W * 8) * 5e-324
    units = spectral(np.round(W * 8))
    assert spectral(tiny) == math.ceil(units) * 5e-324
    with pytest.raises(DomainError, match="largest float64"):
        spectral(np.full((65, 65), 1.7e308))
    assert spectral(np.full((65, 65), 1e308 / 65)) >= 1e308
    both = np.diag([1.0, *[5e-324] * 64])
    assert spectral(both) == 1
    both[0, 1] = 5e-324  # by which the norm exceeds 1, and which the scaled matrix does not have
    both[0, 0] = both[1, 1] = 2.0**900
    assert spectral(both) == math.ldexp(1 + 2.0**-23, 900)


@pytest.mark.parametrize("size", [3, 65])
@pytest.mark.parametrize("entry", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(size, entry):
    matrix = np.ones((size, size))
    matrix[1, 2] = entry
    with pytest.raises(DomainError, match="not finite"):
        spectral(matrix)


def test_of_nothing_the_norm_is_nothing():
    assert spectral(np.zeros((65, 70))) == 0


def swallowed(n, m, first=1.0):
    """Rows (1, c, ..., c), all alike, whose small products a sum from the left loses: each is half a last bit of 1."""
    return np.repeat(np.array([[first, *[2.0**-26.5 * (1 - 1e-12)] * (m - 1)]]), n, axis=0)


def rank_one_square(rows):
    return square(rows[0]) * len(rows)


def test_the_error_of_a_gram_matrix_is_reached(monkeypatch):
    monkeypatch.setattr(enclosure, "_times", in_order)
    x = swallowed(4, 1000)
    gram, error = enclosure._gram(x)
    off = 4 * abs(square(x[0]) - Fraction(gram[0, 0]))  # all entries are off by as much, all to one side
    assert (gram == gram[0, 0]).all()
    assert error * Fraction(97, 100) < off < error


def test_the_error_of_a_gram_matrix_counts(monkeypatch):
    """Everything else is exact here: 4 I - gram, for the gram of ones, is the square of 2 I - gram/2."""
    monkeypatch.setattr(enclosure, "_times", in_order)
    x = swallowed(4, 1000)
    gram, error = enclosure._gram(x)
    above = enclosure._above(gram, error, 4.0, 2 * np.eye(4) - gram / 2)
    assert above - error < rank_one_square(x) <= above


def test_the_error_of_a_root_is_reached(monkeypatch):
    """Half the proven error makes a product indefinite that is not: one square is lost and the others rounded up."""
    monkeypatch.setattr(enclosure, "_times", in_order)
    root = np.ones((2, 1001))
    root[:, 1:] = 2.0**-26.5 * np.array([[1 - 1e-12], [1 + 3e-12]])
    product, error = enclosure._gram(root)
    gram = 4 * np.eye(2) - product  # exactly
    above = enclosure._above(gram, Fraction(0), 4.0, root)

    def is_above(value):
        (a, b), (_, d) = [[Fraction(x) for x in row] for row in gram.tolist()]
        return value >= max(a, d) and (value - a) * (value - d) >= b * b

    assert is_above(above)
    assert not is_above(above - error * Fraction(3, 5))


def test_the_error_of_a_lower_bound_is_reached(monkeypatch):
    """Products a little more than half a last bit are each rounded up to one."""
    monkeypatch.setattr(enclosure, "_times", in_order)
    v = np.array([1.0, *[2.0**-26.5 * (1 + 1e-12)] * 999])
    matrix = np.repeat(v[:, None], 5, axis=1)
    quotient = square(np.array([1.0])) * 5 * square(v)  # |v^T W|^2/|v|^2, and the squared norm
    below = enclosure._below(matrix, v, math.fsum([5.0]))
    computed = square(in_order(v[None], matrix)) / square(v)
    assert below < quotient < computed
    assert (computed - quotient) / (computed - below) > Fraction(97, 100)


def test_a_vector_that_underflows_bounds_nothing():
    v, matrix = np.array([5e-324, 0.0]), np.full((2, 3), 0.75)  # 0.75 of it is rounded up to itself
    assert enclosure._below(matrix, v, 3.375) < 3 * Fraction(0.75) ** 2


def test_the_enclosure_needs_its_constant(monkeypatch):
    """The same matrix with more than 64 rows: a thousandth of the constant no longer covers what the sum loses."""
    monkeypatch.setattr(enclosure, "_times", in_order)
    matrix = swallowed(65, 2000, first=1 - 2.0**-53)
    true = rank_one_square(matrix)
    low, high = enclosure.enclosure(matrix)
    assert low <= true <= high
    monkeypatch.setattr(enclosure, "_UNIT", enclosure._UNIT / 1000)
    assert not enclosure.enclosure(matrix)[1] >= true


def test_any_root_bounds_from_above():
    rng = np.random.default_rng(6)
    matrix = whole(rng, 65, 65) / 16
    gram, error = enclosure._gram(matrix)
    exact = characteristic(matrix)
    for shift in (0.0, 1.0, 50.0, 200.0):
        above = enclosure._above(gram, error, shift, rng.standard_normal((65, 65)))
        assert is_bound(module.sqrt_up(above), *exact)


def test_the_enclosure_is_narrow():
    for n in (65, 200):
        W = np.random.default_rng(n).uniform(-1, 1, (n, n))
        low, high = enclosure.enclosure(W)
        assert low < high < low * (1 + 4 * n * n * Fraction(1, 2**53))


@pytest.mark.parametrize("kind", ["random", "of low rank", "a gap of nothing"])
def test_an_iteration_says_what_a_decomposition_says(kind, monkeypatch):
    """From 256 rows on; where it ends too early Cholesky fails, and all vectors are asked for."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(260, 270))
    if kind != "random":
        values = np.linspace(0.9, 1, 260) if kind == "a gap of nothing" else 1.0 * (np.arange(260) < 3)
        left, _, right = np.linalg.svd(matrix, full_matrices=False)
        matrix = left * values @ right
    decomposed = []
    whole = enclosure._by_decomposition
    monkeypatch.setattr(enclosure, "_by_decomposition", lambda gram: decomposed.append(len(gram)) or whole(gram))
    found = spectral(matrix)
    assert not decomposed
    monkeypatch.setattr(enclosure, "_LONGEST", 2)
    if kind != "of low rank":
        assert spectral(matrix) == found and decomposed == [260]
    monkeypatch.setattr(enclosure, "_LARGE", 10**9)
    assert spectral(matrix) == found and decomposed


def test_a_root_of_less_than_the_top_bounds_all_the_same(monkeypatch):
    """The iteration is a guess too: with half its shift, and some root, the residual pays."""
    matrix = np.random.default_rng(1).normal(size=(260, 270))
    matrix = np.ldexp(matrix, -exponent(matrix))
    exact_enough = np.linalg.norm(matrix, 2) ** 2
    honest = enclosure._by_iteration

    def halved(gram):
        vector, shift, root = honest(gram)
        return vector, shift / 2, root

    monkeypatch.setattr(enclosure, "_by_iteration", halved)
    low, high = enclosure.enclosure(matrix)
    assert low <= exact_enough * (1 + 1e-12) and high >= exact_enough * (1 - 1e-12)
