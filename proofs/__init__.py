"""The ledger of statements: every inequality stated, checked by a machine, and refuted or repaired."""
