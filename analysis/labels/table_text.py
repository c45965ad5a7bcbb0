"""Bytes of a table as text: which encoding and separator they are in; what is no table is refused.

Nothing in a CSV file names its encoding. A byte-order mark does, and so do the zeros of UTF-16.
Else UTF-8 is taken where the bytes are valid UTF-8, which other encodings hardly ever are by
chance. Between CP949 (Korean Windows) and Latin-1 bytes alone cannot always decide, so all that
could be are named, the likelier first, and the caller takes what gives names it knows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 200

# Stands after the last line while a table is read: a row that swallows it was never closed.
_END = "\x1e\x1eend\x1e\x1e"

# As people choose them: value, words.
ENCODINGS = (
    ("utf-8-sig", "UTF-8 with a mark (for Excel)"),
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("utf-16-le", "UTF-16, little endian, without a mark"),
    ("utf-16-be", "UTF-16, big endian, without a mark"),
    ("cp949", "CP949 (Korean)"),
    ("latin-1", "Latin-1 (Western European)"),
    ("cp1252", "Windows-1252 (Western European)"),
)
DELIMITERS = ((",", "Comma"), (";", "Semicolon"), ("\t", "Tab"))
# As addresses and commands write them.
DELIMITER_OF_WORD = {words.lower(): separator for separator, words in DELIMITERS}
_EXCEL_HINT = re.compile(r"^\ufeff?sep=([,;\t])\r?\n", re.IGNORECASE)


class Unreadable(Exception):
    """No table of labels; the message says why, for people."""


def decoded(raw: bytes, encoding: str = "") -> list[tuple[str, str]]:
    """``(encoding, text)`` for every encoding that the bytes can be in, the likeliest first.

    ``encoding`` is one that somebody has chosen; empty lets the bytes tell. Raises
    :class:`Unreadable` for an empty or binary file, and for one that is not in the chosen encoding.
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
    if not raw.strip(b"\x00 \r\n\t\xef\xbb\xbf\xff\xfe"):
        raise Unreadable("The file is empty.")
    found = [(name, _text(raw, name)) for name in ([encoding] if encoding else _possible(raw))]
    fit = [(name, text) for name, text in found if text is not None]
    if not fit:
        if encoding:
            raise Unreadable("The file is not in the chosen encoding. Let it be found out instead.")
        raise Unreadable(
            "The file is in no encoding we know. Save it as “CSV UTF-8” and try again."
        )
    return fit


def _possible(raw: bytes) -> list[str]:
    if raw.startswith(codecs.BOM_UTF8):
        return ["utf-8-sig"]
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    if b"\x00" in raw:
        # Digits, separators and line ends are ASCII: in UTF-16 one of their two bytes is zero.
        if raw.count(0) * 10 < len(raw):
            raise Unreadable("The file holds characters that no text has, so it is no table.")
        return ["utf-16-le", "utf-16-be"] if _zeros_last(raw) else ["utf-16-be", "utf-16-le"]
    if _text(raw, "utf-8") is not None:
        return ["utf-8"]
    western = "cp1252" if re.search(rb"[\x80-\x9f]", raw) else "latin-1"
    return ["cp949", western] if _looks_korean(raw) else [western, "cp949"]


def _zeros_last(raw: bytes) -> bool:
    return raw[1::2].count(0) >= raw[::2].count(0)


def _looks_korean(raw: bytes) -> bool:
    """Whether most bytes above ASCII stand in pairs that spell common Hangul (KS X 1001, lead bytes
    B0 to C8); in Western words letters with accents mostly stand alone."""
    high = len(re.findall(rb"[\x80-\xff]", raw))
    hangul = len(re.findall(rb"[\xb0-\xc8][\xa1-\xfe]", raw))
    return 2 * hangul * 2 > high


def _text(raw: bytes, encoding: str) -> str | None:
    """The text, or None where the bytes are not in that encoding or hold what no table does."""
    try:
        text = raw.decode(encoding)
    except UnicodeError:
        return None
    return None if "\x00" in text or _END in text else text.removeprefix("\ufeff")


def delimiter_of(text: str) -> str:
    """The separator: what Excel's ``sep=`` line says, else the one that is most frequent outside
    quotes in the first line that is not blank."""
    hint = _EXCEL_HINT.match(text)
    if hint:
        return hint.group(1)
    head = re.sub(r'"[^"]*"', "", text.lstrip("\r\n \ufeff").partition("\n")[0])
    counts = {separator: head.count(separator) for separator, _ in DELIMITERS}
    return max(counts, key=lambda separator: counts[separator])


def lines_of(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """``(line number, cells)`` of every line that is not blank; cells without outer spaces.

    A row that goes over several lines has the number of its first. Raises :class:`Unreadable` for
    a quotation mark that is never closed and for more than a table may hold.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    skipped = 1 if _EXCEL_HINT.match(text) else 0
    if skipped:
        text = text.partition("\n")[2]
    lines = io.StringIO(f"{text}\n{_END}\n")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    first, count = 1 + skipped, 0
    while True:
        try:
            cells = next(reader)
        except (StopIteration, csv.Error) as error:
            raise Unreadable(f"A quotation mark in line {first} is never closed.") from error
        if cells == [_END]:
            return
        line, first = first, reader.line_num + 1 + skipped
        if len(cells) > MAX_COLUMNS:
            raise Unreadable(f"Line {line} has more than {MAX_COLUMNS} columns.")
        cells = [trimmed(cell) for cell in cells]
        if not any(cells):
            continue
        if any(_END in cell for cell in cells):
            raise Unreadable(f"A quotation mark in line {line} is never closed.")
        count += 1
        if count > MAX_ROWS + 1:
            raise Unreadable(f"The table has more than {MAX_ROWS:,} rows. Split it.")
        yield line, cells


_OUTER = " \t\n\r\f\v\u00a0\u3000\ufeff\u200b\u2007\u202f"


def trimmed(cell: str) -> str:
    """Without spaces of any kind around it."""
    return cell.strip(_OUTER)
