"""What a cell of a table says, and how a cell is written so that no spreadsheet runs it."""

from __future__ import annotations

import re
import unicodedata

from analysis.labels.models import Answer

_YES = frozenset({"1", "1.0", "yes", "y", "true", "t", "x", "✓", "✔", "예", "네"})
_NO = frozenset({"0", "0.0", "no", "n", "false", "f", "아니오", "아니요"})
_UNSURE = frozenset(
    {"?", "can't tell", "cannot tell", "cant tell", "can not tell", "unsure", "don't know", "모름"}
)
_BLANK = frozenset({"", "nan", "na", "n/a", "null", "none"})
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'"})

# A spreadsheet takes a cell with one of these in front for a formula (OWASP, "CSV injection").
_FORMULA = re.compile(r"^'*[=+\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile(r"^'+[=+\-@\t\r\n＝＋－＠]")

_ENDINGS = re.compile(
    r"\.(?:wav|wave|flac|mp3|ogg|oga|opus|m4a|mp4|aac|aif|aiff|aifc|wv|wma)$", re.IGNORECASE
)


class NoAnswer(ValueError):
    """The cell says neither yes, no, can't tell, nor nothing."""


def answer_of(cell: str) -> Answer | None:
    """What a cell answers; None for a blank one. Raises :class:`NoAnswer`."""
    text = " ".join(unicodedata.normalize("NFC", cell).translate(_APOSTROPHES).split()).casefold()
    if text in _BLANK:
        return None
    if text in _YES:
        return Answer.YES
    if text in _NO:
        return Answer.NO
    if text in _UNSURE:
        return Answer.UNSURE
    raise NoAnswer(cell)


def share_of(cell: str) -> float | None:
    """A share of yes, 0 to 1, with a point or a comma; None for anything else."""
    text = cell.replace(",", ".")
    if not re.fullmatch(r"(?:0?\.\d{1,17}|[01](?:\.0{0,17})?|0\.\d{1,17})", text):
        return None
    return float(text)


def harmless(text: str) -> str:
    """The text as a cell that is no formula: with an apostrophe in front where it could be one, or
    where it could be taken for one that was made so. :func:`plain` gives back the text."""
    return f"'{text}" if _FORMULA.match(text) else text


def plain(cell: str) -> str:
    """What :func:`harmless` was given."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def name_keys(name: str) -> tuple[str, ...]:
    """By what a file's name is found, the strictest first: as it is, without its ending, and both
    in any case. Folders before it and the form of its letters (NFC, NFD) never matter."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2].strip()
    stem = _ENDINGS.sub("", text)
    # Before each a mark, so that a name never meets another one's stem on a stricter level.
    return (f"=:{text}", f"~:{stem}", f"i:{text.casefold()}", f"j:{stem.casefold()}")
