"""Who the embedded PostgreSQL runs as, and how that user reaches its files.

PostgreSQL refuses to run as root. Started by root it runs as a system user without log-in, which
is given the right to pass through (not to list) the folders above its files: by an access control
list entry for that user alone where the file system has them, else by the search bit for others.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

SYSTEM_USER = "pgserver"

_ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True)
class Owner:
    """A user and group id; ``switch`` says whether processes must change to it."""

    uid: int
    gid: int
    switch: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that run a program as this user."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this user the owner of a file or folder."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path | str) -> bool:
        """Whether this user can get at a path (asked of the kernel, as that user)."""
        command = ["/bin/sh", "-c", 'test -e "$0"', str(path)]
        return subprocess.run(command, cwd="/", **self.popen_arguments()).returncode == 0


def owner_for(directory: Path) -> Owner:
    """The user to run the server of ``directory`` as.

    Ourselves, unless we are root: then the owner of an existing directory, else a system user,
    made if it is missing. Raises PermissionError where the directory is somebody else's.
    """
    existing = directory.stat() if directory.exists() else None
    if os.geteuid() != 0:
        if existing is not None and existing.st_uid != os.geteuid():
            raise PermissionError(
                f"{directory} belongs to {_name(existing.st_uid)}: run as that user or as root, "
                "or set DATA_DIR to a folder of your own"
            )
        return Owner(os.geteuid(), os.getegid(), switch=False)
    if existing is not None and existing.st_uid != 0:
        return Owner(existing.st_uid, existing.st_gid, switch=True)
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            [
                "useradd",
                "--system",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                SYSTEM_USER,
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        entry = pwd.getpwnam(SYSTEM_USER)
    return Owner(entry.pw_uid, entry.pw_gid, switch=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def let_pass(owner: Owner, *paths: Path) -> None:
    """Let ``owner`` get at each path, changing as little as possible of the folders above it."""
    if not owner.switch:
        return
    for path in paths:
        if owner.can_reach(path):
            continue
        for folder in reversed(path.parents):
            if not owner.can_reach(f"{folder}/."):
                _let_search(folder, owner)


def let_read(owner: Owner, tree: Path) -> None:
    """Let ``owner`` read and execute a program's folder that a strict umask closed."""
    if not owner.switch:
        return
    for folder, _, names in os.walk(tree):
        here = Path(folder)
        here.chmod(here.stat().st_mode | 0o055)
        for name in names:
            file = here / name
            if file.is_symlink():
                continue
            mode = file.stat().st_mode
            file.chmod(mode | (0o055 if mode & stat.S_IXUSR else 0o044))


def _let_search(folder: Path, owner: Owner) -> None:
    """Give ``owner`` the search right on one folder."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    try:
        os.setxattr(folder, _ACL, _acl_with_search(folder, mode, owner.uid))
        log.info("user %s may now pass through %s (access control list)", owner.uid, folder)
    except OSError:
        folder.chmod(mode | stat.S_IXOTH)
        log.info("everybody may now pass through %s (mode %o)", folder, mode | stat.S_IXOTH)


def _acl_with_search(folder: Path, mode: int, uid: int) -> bytes:
    """A folder's access control list with an execute-only entry for ``uid`` (see acl(5); layout of
    ``linux/posix_acl_xattr.h``: u32 version 2, then entries of u16 tag, u16 rights, u32 id)."""
    try:
        raw = os.getxattr(folder, _ACL)
        entries = [struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8)]
    except OSError:
        entries = [
            (_USER_OBJ, mode >> 6 & 7, _NO_ID),
            (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
            (_OTHER, mode & 7, _NO_ID),
        ]
    masks = [rights for tag, rights, _ in entries if tag == _MASK]
    group = next(rights for tag, rights, _ in entries if tag == _GROUP_OBJ)
    kept = [
        entry for entry in entries if entry[0] != _MASK and (entry[0], entry[2]) != (_USER, uid)
    ]
    mask = (masks[0] if masks else group) | 1
    wanted = sorted([*kept, (_USER, 1, uid), (_MASK, mask, _NO_ID)], key=lambda e: (e[0], e[2]))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in wanted)
