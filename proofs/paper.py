"""A paper whose statements are read in the ledger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paper:
    """``key``: the folder of its statements; ``version``: of the preprint that was read, whose labels are used.
    ``read``: of it, what was."""

    key: str
    title: str
    arxiv: str
    version: int
    read: str = "its text"

    def __str__(self) -> str:
        return f"{self.title} (arXiv:{self.arxiv}v{self.version})"
