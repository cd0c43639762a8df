"""Statements about linear time-invariant systems (theory 14)."""
