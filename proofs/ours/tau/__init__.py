"""Statements about tau, and about the class behind it (theory 16)."""
