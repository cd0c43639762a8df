"""Tasks: labelled sequences to train on and to evaluate a certificate with."""
