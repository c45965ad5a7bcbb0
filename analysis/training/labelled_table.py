"""Music with a genre each, listed in a table: CSV as spreadsheets on any system write it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from analysis.training.labelled_files import LabelledFile, UnusableCorpus

_SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}
_NEEDED = ("path", "genre")


def from_table(table: Path) -> list[LabelledFile]:
    """Files of a CSV with the columns ``path`` and ``genre``, and perhaps ``artist``, ``split``.

    Paths are relative to the table, with ``/`` or ``\\``. UTF-8, UTF-16 and Windows-1252 are read,
    with commas, semicolons or tabs between the columns. ``split`` is ``train`` or ``valid`` (rows
    of a ``test`` split are left out), for all rows or for none.

    Raises :class:`UnusableCorpus` if the table cannot be read, lacks a column, or contradicts
    itself. Files that are not there are kept: whoever reads them reports them.
    """
    try:
        text = _decoded(table.read_bytes())
    except OSError as error:
        raise UnusableCorpus(f"{table} cannot be read: {error.strerror}") from error
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise UnusableCorpus(
                f"{table} has no column {' and no column '.join(missing)}; its first line reads "
                f"{', '.join(columns) or 'nothing'}. Needed are path and genre, artist and split "
                "may be there"
            )
        files: dict[Path, LabelledFile] = {}
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            file = _file(row, table, rows.line_num)
            if file is None:
                continue
            known = files.setdefault(file.path, file)
            if known.genre != file.genre:
                raise UnusableCorpus(
                    f"{table}, line {rows.line_num}: {row['path']} is {file.genre} here and "
                    f"{known.genre} further up"
                )
    except csv.Error as error:
        raise UnusableCorpus(f"{table}, line {rows.line_num}: {error}") from error
    undecided = sum(1 for file in files.values() if not file.split)
    if 0 < undecided < len(files):
        raise UnusableCorpus(
            f"{table} gives a split for {len(files) - undecided} rows and none for {undecided}: "
            "give one for every row, or for none"
        )
    if not files:
        raise UnusableCorpus(f"{table} has no rows with a path and a genre")
    return list(files.values())


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    """Comma, semicolon (where the comma is the decimal sign) or tab: what the first line has."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _file(row: Mapping[str, str], table: Path, line: int) -> LabelledFile | None:
    """One row; None for a row of a test split."""
    for name in _NEEDED:
        if not row.get(name):
            raise UnusableCorpus(f"{table}, line {line}: the {name} is missing")
    split = row.get("split", "").lower()
    if split and split not in _SPLITS:
        raise UnusableCorpus(
            f"{table}, line {line}: the split is {split!r}; train and valid are known"
        )
    if _SPLITS.get(split) == "test":
        return None
    return LabelledFile(
        path=_path(table.parent, row["path"]),
        genre=_clean(row["genre"]),
        artist=_clean(row.get("artist", "")),
        split=_SPLITS.get(split, ""),
    )


def _path(folder: Path, written: str) -> Path:
    """The file that a table means: accents may be composed or not, slashes of either kind."""
    spellings = [written, written.replace("\\", "/")]
    for form in ("NFC", "NFD"):
        spellings.append(unicodedata.normalize(form, spellings[1]))
    for spelling in spellings:
        if (folder / spelling).exists():
            return folder / spelling
    return folder / spellings[1]


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
