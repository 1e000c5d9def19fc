"""Where the files of the archive are: a local directory, or any file system that fsspec knows.

A file appears whole or not at all: what is written is a draft, whose name no reader looks for,
until it is published. Not here: what the files hold (`parquet`).
"""

import os
from pathlib import Path
from typing import BinaryIO, cast

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from tessie_pipeline.store.shared_files import make_directory, open_file, rename

DRAFT = ".new"
"""What the name of a draft ends with, so that no pattern for Parquet files finds it."""


class ArchiveFiles:
    """The files under one address, by their paths in it."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is opened or made.

        Raises:
            ImportError: fsspec needs another package for it.
            ValueError: fsspec does not know such addresses.
        """
        self.files, root = url_to_fs(url)
        self.is_local = isinstance(self.files, LocalFileSystem)
        self.root = root.rstrip("/")

    def paths(self, directory: str) -> list[str]:
        """The files in a directory and below it, drafts among them."""
        return list(self.sizes(directory))

    def sizes(self, directory: str = "") -> dict[str, int]:
        """The bytes of each file in a directory and below it, drafts among them."""
        self.files.invalidate_cache()
        found = self.files.find(f"{self.root}/{directory}".rstrip("/"), detail=True)
        return {path.removeprefix(f"{self.root}/"): facts["size"] for path, facts in found.items()}

    def is_there(self, path: str) -> bool:
        """Whether there is such a file."""
        self.files.invalidate_cache()
        return bool(self.files.isfile(f"{self.root}/{path}"))

    def open(self, path: str) -> BinaryIO:
        """A published file, for reading."""
        return cast("BinaryIO", self.files.open(f"{self.root}/{path}", "rb"))

    def open_draft(self, path: str) -> BinaryIO:
        """The draft of a file, for reading."""
        return self.open(path + DRAFT)

    def write_draft(self, path: str) -> BinaryIO:
        """A new draft of a file, for writing; one that a crash has left goes."""
        draft = f"{self.root}/{path}{DRAFT}"
        if self.is_local:
            make_directory(Path(draft).parent)
            return os.fdopen(open_file(Path(draft), os.O_WRONLY | os.O_TRUNC, 0o600), "wb")
        self.files.makedirs(draft.rpartition("/")[0], exist_ok=True)
        return cast("BinaryIO", self.files.open(draft, "wb"))

    def finish_draft(self, draft: BinaryIO) -> None:
        """Close what `write_draft` gave; what was written survives a power cut."""
        if self.is_local:
            draft.flush()
            os.fsync(draft.fileno())
        draft.close()

    def publish(self, path: str) -> None:
        """Put the draft in the place of the file."""
        new = f"{self.root}/{path}"
        if self.is_local:
            rename(Path(new + DRAFT), Path(new))
        else:
            self.files.mv(new + DRAFT, new)

    def discard_draft(self, path: str) -> None:
        """Remove the draft of a file, if there is one."""
        if self.is_there(path + DRAFT):
            self.files.rm_file(f"{self.root}/{path}{DRAFT}")

    def address(self, path: str) -> str:
        """By what another program opens the file: its path if it is local, else a URL."""
        full = f"{self.root}/{path}"
        return full if self.is_local else str(self.files.unstrip_protocol(full))
