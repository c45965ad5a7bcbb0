"""Voices to learn timbre from: a folder of recordings, or a table that may hold people's labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.sound.voice.recording import read_mono

SUFFIXES = frozenset(".aif .aiff .flac .m4a .mp3 .ogg .opus .wav".split())
_VOCALS = "vocals"
_OWN_COLUMNS = frozenset({"file", "singer", "split", "reference"})
_SPLITS = ("train", "valid", "")


class UnusableVoices(ValueError):
    """A collection that cannot be trained on; the message says what is missing."""


@dataclass(frozen=True)
class Voice:
    """A recording of one singer. ``labels`` (0..1 by tag) are people's; empty where nobody
    labelled it. ``accompaniment`` are the other stems of the same mix. ``is_reference``: whether it
    is one of the voices that others are compared with (a computer's is not)."""

    path: Path
    singer: str
    split: str = ""
    labels: dict[str, float] = field(default_factory=dict)
    accompaniment: tuple[Path, ...] = ()
    is_reference: bool = True

    def read(
        self,
    ) -> tuple[npt.NDArray[np.float32], int, npt.NDArray[np.float32] | None]:
        """Mono voice (n,), its rate, and the accompaniment at that rate, if there is any.

        Raises UndecodableAudio, OSError.
        """
        voice, rate = read_mono(self.path)
        rest = None
        for path in self.accompaniment:
            stem, stem_rate = read_mono(path)
            if stem_rate == rate and len(stem) == len(voice):
                rest = stem if rest is None else rest + stem
        return voice, rate, rest


def from_folder(folder: Path) -> list[Voice]:
    """Every recording below a folder.

    ``SINGER__title.flac`` names its singer; otherwise each file is a singer of its own. Of a folder
    with stems only ``vocals`` is taken, with the others as its accompaniment.
    """
    if not folder.is_dir():
        raise UnusableVoices(f"there is no folder {folder}")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    with_vocals = {path.parent for path in files if path.stem == _VOCALS}
    return [
        voice_of(path) for path in files if path.stem == _VOCALS or path.parent not in with_vocals
    ]


def voice_of(path: Path, **known: object) -> Voice:
    """A file with what its name and its neighbours say."""
    others: tuple[Path, ...] = ()
    singer = path.stem.split("__")[0]
    if path.stem == _VOCALS:
        singer = path.parent.name
        others = tuple(
            sorted(p for p in path.parent.iterdir() if p.suffix == path.suffix and p != path)
        )
    return Voice(path, **{"singer": singer, "accompaniment": others, **known})  # type: ignore[arg-type]


def from_table(table: Path) -> list[Voice]:
    """Voices of a CSV (UTF-8) with the column ``file`` (relative to the table), and perhaps
    ``singer``, ``split`` (train or valid), ``reference`` (yes or no: may others be compared with
    it) and one column per tag with labels from 0 to 1.

    An empty cell is no label. Raises :class:`UnusableVoices` for what cannot be understood.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableVoices(f"{table} cannot be read: {error}") from error
    first = text.splitlines()[0] if text.strip() else ""
    rows = csv.DictReader(text.splitlines(), delimiter=";" if first.count(";") else ",")
    columns = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if "file" not in columns:
        raise UnusableVoices(f"{table} has no column file; its first line reads {first!r}")
    rows.fieldnames = columns
    return [_row(table, number, row) for number, row in enumerate(rows, start=2)]


def _row(table: Path, number: int, row: dict[str, str | None]) -> Voice:
    cells = {name: (value or "").strip() for name, value in row.items() if name}
    path = table.parent / cells["file"]
    if not path.is_file():
        raise UnusableVoices(f"{table}, line {number}: there is no file {path}")
    known: dict[str, object] = {"split": cells.get("split", "").lower()}
    if known["split"] not in _SPLITS:
        raise UnusableVoices(f"{table}, line {number}: split must be train or valid")
    known["is_reference"] = cells.get("reference", "").lower() not in ("no", "0")
    if cells.get("singer"):
        known["singer"] = cells["singer"]
    labels = {}
    for tag in sorted(cells.keys() - _OWN_COLUMNS):
        if not cells[tag]:
            continue
        try:
            labels[tag] = float(cells[tag].replace(",", "."))
        except ValueError:
            labels[tag] = -1.0
        if not 0.0 <= labels[tag] <= 1.0:
            raise UnusableVoices(
                f"{table}, line {number}: {tag} is {cells[tag]!r}, and should be from 0 to 1"
            )
    return voice_of(path, labels=labels, **known)


def divided(voices: Iterable[Voice], *, share: float, seed: int) -> tuple[list[Voice], list[Voice]]:
    """Voices to learn from and voices held out, no singer on both sides.

    Where the table names splits they are kept; other singers are held out by lot, about ``share``.
    Raises :class:`UnusableVoices` where one side stays empty or a singer stands on both.
    """
    voices = list(voices)
    decided = {voice.singer: voice.split for voice in voices if voice.split}
    open_singers = sorted({voice.singer for voice in voices} - decided.keys())
    order = np.random.default_rng(seed).permutation(len(open_singers))
    held = {open_singers[index] for index in order[: round(share * len(open_singers))]}
    split = {s: "valid" if s in held else "train" for s in open_singers} | decided
    for voice in voices:
        if voice.split and voice.split != split[voice.singer]:
            raise UnusableVoices(f"{voice.singer} stands in train and in valid")
    sides = [[v for v in voices if split[v.singer] == side] for side in ("train", "valid")]
    if not all(sides):
        raise UnusableVoices(
            "singers are needed on both sides: give at least two of them, or name the splits"
        )
    return sides[0], sides[1]
