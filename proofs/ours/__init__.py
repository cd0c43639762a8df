"""Our statements (theory.md 3 to 11), one file each."""
