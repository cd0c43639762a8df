"""Generalization bounds for selective state-space models: symbolic statements and certified numbers."""
