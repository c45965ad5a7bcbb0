"""Music with a genre each, as people keep it: one folder of sound files per genre."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FEWEST_GENRES = 2
MOST_GENRES = 200
LONGEST_NAME = 64  # what the product's tables hold
SUFFIXES = frozenset(
    ".aac .aif .aifc .aiff .flac .m4a .mp3 .mp4 .oga .ogg .opus .wav .wave .wma".split()
)
# Stands for all genres together in the mix report.
_RESERVED = "any"


class UnusableCorpus(ValueError):
    """Music that cannot be trained on; the message says what is missing and what to do."""


@dataclass(frozen=True)
class LabelledFile:
    """A sound file with its genre.

    ``artist`` is empty where nothing is known of it; ``split`` is ``train``, ``valid`` or, where
    nobody has decided, empty.
    """

    path: Path
    genre: str
    artist: str = ""
    split: str = ""

    @property
    def shown(self) -> str:
        """The path for people, also where its bytes are no valid text."""
        return os.fsencode(self.path).decode("utf-8", "replace")


def from_folder(folder: Path) -> list[LabelledFile]:
    """Sound files below ``folder``, whose own folders name the genres.

    A folder between genre and file (``jazz/Miles Davis/01.flac``) names the artist. Other files
    and hidden ones are passed over. Raises :class:`UnusableCorpus` if there is no such folder, or
    no sound in it.
    """
    if not folder.is_dir():
        raise UnusableCorpus(f"there is no folder {folder}")
    files = []
    for genre in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if genre.name.startswith("."):
            continue
        for path in _sound_files(genre):
            below = path.relative_to(genre).parts
            artist = readable(below[0]) if len(below) > 1 else ""
            files.append(LabelledFile(path=path, genre=readable(genre.name), artist=artist))
    if not files:
        loose = any(entry.suffix.lower() in SUFFIXES for entry in folder.iterdir())
        raise UnusableCorpus(
            f"{folder} has sound files, but no folder of them per genre: move each into a folder "
            "with the genre's name"
            if loose
            else f"there are no sound files in the folders of {folder}; one folder per genre is "
            "expected, with WAV, AIFF, FLAC, MP3, OGG, Opus or M4A files in it"
        )
    return files


def _sound_files(folder: Path) -> list[Path]:
    return sorted(
        Path(base) / name
        for base, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
    )


def readable(name: str) -> str:
    """A file's name as text: composed accents (macOS splits them), and Windows' letters where the
    bytes are no UTF-8."""
    try:
        text = os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        text = os.fsencode(name).decode("cp1252", "replace")
    return " ".join(unicodedata.normalize("NFC", text).split())


def genre_names(files: Iterable[LabelledFile]) -> list[str]:
    """The genres of some files, in order.

    Raises :class:`UnusableCorpus` for fewer than 2 or more than 200 of them, for names that differ
    in capitals only, are longer than 64 characters, or are reserved.
    """
    names = sorted({file.genre for file in files})
    if len(names) < FEWEST_GENRES:
        raise UnusableCorpus(
            f"there is only one genre, {names[0]!r}: at least two are needed to tell apart"
            if names
            else "there are no files"
        )
    if len(names) > MOST_GENRES:
        raise UnusableCorpus(
            f"there are {len(names)} genres, and up to {MOST_GENRES} can be learned; is each "
            "folder (or each value of the column) really a genre?"
        )
    spelled: dict[str, str] = {}
    for name in names:
        other = spelled.setdefault(name.casefold(), name)
        if other != name:
            raise UnusableCorpus(f"{other!r} and {name!r} are one genre in two spellings")
        if len(name) > LONGEST_NAME:
            raise UnusableCorpus(f"a genre's name has up to {LONGEST_NAME} characters: {name!r}")
        if not name.isprintable():
            raise UnusableCorpus(f"the genre's name {name!r} cannot be printed")
    if _RESERVED in spelled:
        raise UnusableCorpus(
            f"{spelled[_RESERVED]!r} cannot be a genre: the mix report calls all genres together so"
        )
    return names
