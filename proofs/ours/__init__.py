"""Our statements (theory 3 to 11), one file each."""
