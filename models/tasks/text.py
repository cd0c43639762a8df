"""Files of text, as untrusted as any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ssm_bounds.models.tasks.task import TaskError

MAX_BYTES = 1 << 30


@contextmanager
def reading(path: Path) -> Iterator[IO[str]]:
    """The open file, at most 1 GiB of UTF-8, line ends as they are. Raises: TaskError naming the file; OSError."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise TaskError(f"{path}: has {size} bytes, and at most {MAX_BYTES} of text are read; use an .npz archive")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
