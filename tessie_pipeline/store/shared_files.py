"""Files that several programs use at the same time: locks, and whole files replaced at once.

The locks are `flock` locks: they belong to an open file, so a child process that inherits it
shares the lock, and the kernel drops it when the last of them is gone. Files made here belong to
the owner of their directory, so that what root makes in a user's home stays of use to that user.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def open_file(path: Path, flags: int, mode: int) -> int:
    """A file descriptor of `path`, created with exactly the permissions `mode`.

    The file belongs to the owner of its directory. Links are not followed.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, mode)
    owner = path.parent.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    if os.fstat(descriptor).st_uid == os.geteuid() or os.geteuid() == 0:
        os.fchmod(descriptor, mode)
    return descriptor


def write_file(path: Path, text: str, mode: int) -> None:
    """Replaces the content of `path` at once and durably; a reader sees the old or the new."""
    if path.exists() and path.read_text() == text:
        return
    draft = path.with_name(path.name + ".new")
    descriptor = open_file(draft, os.O_WRONLY | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    rename(draft, path)


def make_directory(path: Path) -> None:
    """Makes a directory, and those above it that are missing, durably.

    Only its owner may enter it: the owner of the one above.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
    _sync(path.parent)


def rename(old: Path, new: Path) -> None:
    """Renames a file or directory, durably; an existing file or empty directory `new` goes."""
    old.replace(new)
    _sync(new.parent)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits for a lock that one holder at a time can have, and has it for the block."""
    descriptor = open_file(path, os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def shared(path: Path) -> int:
    """A file descriptor with a lock that many can have; given back by `release`."""
    descriptor = open_file(path, os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def release(descriptor: int) -> None:
    """Gives a lock back, also on behalf of processes that were forked while it was held."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def exclusive_if_free(path: Path) -> int | None:
    """A file descriptor with a lock that nobody else has, or None if somebody does.

    Closing it gives the lock back, unless a child process that inherited it still has it open.
    """
    descriptor = open_file(path, os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_free(path: Path) -> bool:
    """Whether nobody has a lock on `path`."""
    descriptor = exclusive_if_free(path)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
