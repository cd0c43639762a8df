"""Figures that a paper could print: each function takes plain data and returns a matplotlib figure."""
