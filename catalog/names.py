"""Text that came from outside made fit for titles and file names."""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_LENGTH = 300
MAX_NOTE_LENGTH = 300
UNTITLED = "Untitled"

# Marks that turn the direction of text around can make a name read as another one.
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_DISC = re.compile(r"^(?:cd|dis[ck]|vol(?:ume)?)[\s._-]*\d{1,2}$", re.IGNORECASE)
_TRACK_NUMBER = re.compile(
    r"""^(?:\d{1,2}-)?          # the disc: 1-03
        (?:(?P<marked>\d{1,3})\s*[-.)_]+\s*   # 3. Title, 03 - Title, 03_Title
          |(?P<padded>0\d)\s+)  # 03 Title, but not 99 Problems
        (?=[^\W\d_])            # a letter of the title follows""",
    re.VERBOSE,
)


def clean_text(value: object, max_length: int = MAX_NAME_LENGTH) -> str:
    """One line of at most ``max_length`` characters: no control characters, no lone surrogates, no
    direction marks, single spaces. Emoji and every script stay."""
    text = unicodedata.normalize("NFC", str(value))
    text = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in text
        if unicodedata.category(letter) not in {"Cs", "Cn"} and letter not in _BIDI_CONTROLS
    )
    return " ".join(text.split())[:max_length].rstrip()


def clean_filename(value: object) -> str:
    """The last part of a path, by any system's separators; ``Untitled`` if none is left."""
    name = clean_text(str(value).replace("\\", "/").rstrip("/").rpartition("/")[2], 10_000)
    if name.strip(". ") == "":
        return UNTITLED
    if len(name) > MAX_NAME_LENGTH:
        ending = _ENDING.search(name)
        tail = ending.group() if ending else ""
        name = name[: MAX_NAME_LENGTH - len(tail)].rstrip() + tail
    return name


def clean_folder(value: object) -> str:
    """The innermost folder of a dropped path, or nothing; ``Album/CD 2`` as ``Album CD 2``."""
    folders = [clean_text(part) for part in str(value).replace("\\", "/").split("/")]
    folders = [name for name in folders if name.strip(". ")]
    if not folders:
        return ""
    if len(folders) > 1 and _DISC.match(folders[-1]):
        return clean_text(f"{folders[-2]} {folders[-1]}")
    return folders[-1]


def title_and_number(filename: str) -> tuple[str, int | None]:
    """A title for people from a file's name, and the track number that stood before it.

    >>> title_and_number("03 - Slow_Light.flac")
    ('Slow Light', 3)
    >>> title_and_number("99 Problems.mp3")
    ('99 Problems', None)
    """
    name = _ENDING.sub("", clean_filename(filename)).replace("_", " ").strip()
    name = " ".join(name.split())
    match = _TRACK_NUMBER.match(name)
    number = None
    if match:
        number = int(match["marked"] or match["padded"])
        name = name[match.end() :]
    return (name.strip() or UNTITLED), number
