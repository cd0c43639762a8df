"""Wealth bounds of mean losses: units.py (theory 8.5), tokens.py (8.6), documents.py (8.7), differences.py (8.10);
groups.py makes units of rows.

Many losses are integers, multiples of 2^-24 (ticks.py); products.py multiplies what a bet earned of them, grid.py
chooses the bet (8.11).
"""
