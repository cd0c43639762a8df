"""MNIST-1D: which of ten digits drew this line? Rows drawn independently, from the package that defines them.

The package's own ``make_dataset`` draws as many rows of each class and standardises by all rows, test rows included:
no bound here speaks about such rows. Here labels are uniform, and the two constants come from other rows (theory 8.16).
The optional extra ``ssm-bounds[mnist1d]`` brings the package; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import Split, Task, TaskError

ROWS = 84_000
"""Drawn in all, whatever is asked for: training rows are the first of them, test rows the last."""
TEST = 8_000
CURVES = 40_000
_CONSTANTS_FROM = 2_000  # rows of seed 0


def mnist1d(m: int, *, test: int = TEST) -> Task:
    """The first m rows to train, the last ``test`` (0: none) to test. Real inputs (m,40,1), float32; k = 10.

    The same rows for the same versions of numpy and scipy. Raises: TaskError, also where the package is not installed.
    """
    if not (m >= 1 and test >= 0 and m + test <= ROWS):
        raise TaskError(f"mnist1d: {ROWS} rows are drawn; expected m >= 1 and m + test at most that, got {m} + {test}")
    with _random_state():
        constants, _ = _sample(_CONSTANTS_FROM, seed=0)
        x, y = _sample(ROWS, seed=1, without=range(m, ROWS - test))
    x = ((x - constants.mean()) / constants.std())[:, :, None]
    fresh = Split(x[m:], y[m:]) if test else None
    return Task("mnist1d", Split(x[:m], y[:m]), fresh, k=10, V=None)


def curves1d(m: int = CURVES - 2_000, *, test: int = 2_000) -> Task:
    """Which of forty smooth curves drew this line? The task of a base for MNIST-1D: none of its rows or digits.

    Rows and constants as in :func:`mnist1d`; k = 40. Raises: TaskError.
    """
    if not (m >= 1 and test >= 0 and m + test <= CURVES):
        raise TaskError(f"curves1d: {CURVES} rows are drawn; expected m >= 1 and m + test at most that: {m} + {test}")
    with _random_state():
        constants, _ = _sample(_CONSTANTS_FROM, seed=0)
        x, y = _sample(CURVES, seed=2, without=range(m, CURVES - test), templates=_curves())
    x = ((x - constants.mean()) / constants.std())[:, :, None]
    fresh = Split(x[m:], y[m:]) if test else None
    return Task("curves1d", Split(x[:m], y[:m]), fresh, k=40, V=None)


def _curves() -> NDArray[np.float64]:
    """Forty templates (40,12), as long as those of the digits (theory 8.16)."""
    from scipy.ndimage import gaussian_filter1d

    rng = np.random.default_rng(7)
    found = np.stack([gaussian_filter1d(rng.normal(size=12), 1.2) for _ in range(40)])
    found -= found.mean(1, keepdims=True)
    found /= found.std(1, keepdims=True)
    found -= found[:, :1]
    return np.asarray(found / 6)


def _sample(
    n: int, seed: int, without: range = range(0), templates: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows (n,40), float32, and labels (n,): first all labels, then a transformed template for each, the digits'
    without other ``templates``.

    Of rows ``without`` only the random numbers are drawn, a tenth of their cost.
    """
    data, transform = _package()
    settings, digits = data.get_dataset_args(), data.get_templates()
    shapes = digits["x"] if templates is None else templates
    np.random.seed(seed)  # noqa: NPY002 (the package draws from the global generator)
    y = np.random.randint(len(shapes), size=n)  # noqa: NPY002
    rows = []
    for row, label in enumerate(y):
        if row in without:
            _draw_only(settings)
        else:
            rows.append(transform(shapes[label], digits["t"], settings)[0])
    return np.stack(rows).astype(np.float32), np.delete(y, without).astype(np.int64)


def _draw_only(settings: Any) -> None:
    """What ``transform`` draws, in its order: padding, scale, place, two noises, shear."""
    np.random.rand(2)  # noqa: NPY002
    np.random.choice(settings.max_translation)  # noqa: NPY002
    np.random.randn(2 * (settings.template_len + settings.padding[-1]))  # noqa: NPY002
    np.random.rand()  # noqa: NPY002


@contextmanager
def _random_state() -> Iterator[None]:
    """Leave NumPy's global generator as it was."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _package() -> tuple[Any, Any]:
    try:
        from mnist1d import data
        from mnist1d.transform import transform
    except ImportError as error:
        raise TaskError(
            f"mnist1d: its package cannot be imported ({error}); install it with: pip install 'ssm-bounds[mnist1d]'"
        ) from error
    return data, transform
