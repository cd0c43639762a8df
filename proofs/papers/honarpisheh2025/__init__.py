"""The paper's statements, one file each, with the machine's verdict on each as read (theory 2)."""
