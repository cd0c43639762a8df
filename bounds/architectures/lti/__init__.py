"""Linear time-invariant systems: their norms, and the classes of S4D models (theory 14)."""
