"""What a Mamba or Mamba-2 layer can do over all inputs, from proven norms of its weights (theory 12).

Pure functions of float64 arrays; every upper end is rounded up, every lower end down
(:mod:`ssm_bounds.bounds.evaluate.outward`). Letters of shapes: d channels, N states, k taps, T the largest length.
"""
