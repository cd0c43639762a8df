"""What Coq's kernel checks of the ledger: claims printed from the statements, and theorems written by hand."""
