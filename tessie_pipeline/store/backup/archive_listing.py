"""Which files the archive should have, and what is not there as it should be.

The archive is no part of a backup, which only lists it.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from tessie_pipeline.store.backup.files import ListedFile

_HAS_LOG = sa.text("select to_regclass('public.retention_log') is not null")

# A day whose samples came late was archived again, so its last file counts.
_LOGGED = sa.text("""
    select distinct on (archive_file) archive_file, archive_bytes, archive_sha256
    from public.retention_log where archive_file is not null
    order by archive_file, dropped_at desc
""")


def listed_files(connection: sa.Connection, sizes: Mapping[str, int]) -> list[ListedFile]:
    """The files that retention has noted, and the others of `sizes`, by their paths."""
    files = {path: ListedFile(path=path, bytes=size, sha256=None) for path, size in sizes.items()}
    if connection.scalar(_HAS_LOG):
        for path, size, sha256 in connection.execute(_LOGGED):
            files[path] = ListedFile(path=path, bytes=size, sha256=sha256)
    return [files[path] for path in sorted(files)]


def archive_problems(files: Sequence[ListedFile], sizes: Mapping[str, int]) -> list[str]:
    """A sentence per file that is missing or has another size; empty when all are there."""
    said = []
    for file in files:
        size = sizes.get(file.path)
        if size is None:
            said.append(f"{file.path} is missing in the archive")
        elif size != file.bytes:
            said.append(f"{file.path} in the archive has {size} bytes instead of {file.bytes}")
    return said
