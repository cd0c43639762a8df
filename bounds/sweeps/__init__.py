"""How bounds scale: rungs and sharp constants over grids of constants, fast, in float64 and never certified."""

from ssm_bounds.bounds.sweeps.axes import AXES, COUNTS
from ssm_bounds.bounds.sweeps.grid import sharp_constants, sweep

__all__ = ["AXES", "COUNTS", "sharp_constants", "sweep"]
