"""Files that are either the old one or the new one, never half of each."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, which becomes ``path`` if the block ends well, and is removed if it does not.

    A link stays a link: what it points to is replaced. Raises: OSError.
    """
    if not path.name or "\0" in str(path):
        raise OSError(errno.EINVAL, "not the name of a file")
    target = path.resolve() if path.is_symlink() else path
    temporary = target.with_name(f".{secrets.token_hex(8)}")
    try:
        yield temporary
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())  # a replaced name must not reach the disk before its content
        os.replace(temporary, target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> None:
    """All of it or nothing; a device or a pipe is written to as it is. Raises: OSError."""
    if path.name and "\0" not in str(path) and path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    with replacing(path) as temporary:
        temporary.write_bytes(data)
