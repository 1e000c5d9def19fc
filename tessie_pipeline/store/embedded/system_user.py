"""The unprivileged system user that a server runs as when the program itself is root.

Postgres refuses to run as root. Its user must reach the wheel's binaries and the data directory,
which may lie below directories that only root may search: those are opened for searching, never
for listing, and each is named in the log. For a program that is not root nothing here happens.
"""

import logging
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import pwd

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SystemUser:
    """A user of the operating system, as child processes take it on."""

    name: str
    uid: int
    gid: int

    def may_search(self, directory: os.stat_result) -> bool:
        """Whether the mode bits of a directory let this user reach what is in it."""
        if directory.st_uid == self.uid:
            return bool(directory.st_mode & stat.S_IXUSR)
        if directory.st_gid == self.gid:
            return bool(directory.st_mode & stat.S_IXGRP)
        return bool(directory.st_mode & stat.S_IXOTH)


def server_user(data: Path) -> SystemUser | None:
    """The user whom a server of the data directory `data` must run as.

    Returns:
        None where the program's own user will do. For root: the owner of the data directory, or
        else of one of the two directories above it, if that is not root; then `postgres`, then
        `nobody`.

    Raises:
        LookupError: if the program is root and the system has none of these users.
    """
    if os.geteuid() != 0:
        return None
    for place in (data, data.parent, data.parent.parent):
        if place.exists() and (info := place.stat()).st_uid != 0:
            name = _name(info.st_uid)
            # initdb needs the user's name, a server that only starts does not.
            if name is not None or place == data:
                return SystemUser(name or str(info.st_uid), info.st_uid, info.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(name, entry.pw_uid, entry.pw_gid)
    raise LookupError("no system user to run Postgres as: neither `postgres` nor `nobody` exists")


def open_way_to(directory: Path, user: SystemUser) -> None:
    """Lets `user` search `directory` and all above it, where root owns them; logs each change."""
    for place in (*reversed(directory.parents), directory):
        info = place.stat()
        if user.may_search(info):
            continue
        if info.st_uid == 0:
            logger.warning("Adding the search bit (chmod o+x) to %s for %s", place, user.name)
            place.chmod(stat.S_IMODE(info.st_mode) | stat.S_IXOTH)
        else:
            logger.warning("%s may not search %s; its owner can allow it", user.name, place)


def open_for_reading(tree: Path) -> None:
    """Lets everyone read the files that root owns below `tree` (`chmod -R o+rX`).

    A wheel installed under umask 077 needs it.
    """
    for place in (tree, *tree.rglob("*")):
        info = place.lstat()
        if stat.S_ISLNK(info.st_mode) or info.st_uid != 0:
            continue
        wanted = info.st_mode | stat.S_IROTH
        if stat.S_ISDIR(info.st_mode) or info.st_mode & stat.S_IXUSR:
            wanted |= stat.S_IXOTH
        if wanted != info.st_mode:
            place.chmod(stat.S_IMODE(wanted))


def hand_over(tree: Path, user: SystemUser) -> None:
    """Makes `user` the owner of `tree` and of all in it, as after a copy made by root."""
    for place in (tree, *tree.rglob("*")):
        os.lchown(place, user.uid, user.gid)


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
