"""Trained models: their weights, how they are read from files, and how they are measured."""
