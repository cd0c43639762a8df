"""Trainings and their certificates side by side: from a frozen configuration to a record."""
