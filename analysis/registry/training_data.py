"""What staff may choose to train on: entries of one folder that the operator named, no others."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

_MOST = 200
_KEPT_S = 30 * 24 * 3_600


@dataclass(frozen=True)
class Entry:
    """A folder or table below the root; ``name`` is its name there."""

    name: str
    label: str
    path: Path


def root() -> Path | None:
    """The operator's folder (``TRAINING_DATA_DIR``), or None if none is set or it is not there."""
    named = settings.TRAINING_DATA_DIR
    folder = Path(named) if named else None
    return folder if folder is not None and folder.is_dir() else None


def entries() -> list[Entry]:
    """What lies directly in the root: folders and CSV tables, by name. Links are left out, and so
    is what is hidden."""
    folder = root()
    if folder is None:
        return []
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name.casefold()):
        if path.name.startswith(".") or path.is_symlink() or not path.name.isprintable():
            continue
        if path.is_dir():
            found.append(Entry(path.name, f"{path.name} (folder)", path))
        elif path.is_file() and path.suffix.lower() == ".csv":
            found.append(Entry(path.name, f"{path.name} (table)", path))
        if len(found) == _MOST:
            break
    return found


def pictures_folder() -> Path:
    """Where the pictures of the music are kept between trainings and comparisons."""
    return Path(settings.WORK_DIR) / "ears_pictures"


def tidy_pictures() -> None:
    """Forget pictures that were drawn long ago; they can be drawn again."""
    oldest = time.time() - _KEPT_S
    for path in pictures_folder().glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def path_of(name: str) -> Path:
    """The path of an entry. Raises LookupError for anything that is not listed."""
    for entry in entries():
        if entry.name == name:
            return entry.path
    raise LookupError(f"There is no {name!r} in the folder for training data.")
