"""The columns of a table of labels: the file's name, tags, and what an export of ballots adds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.labels.models import TimbreTag
from analysis.labels.table_cells import NoAnswer, answer_of, plain
from analysis.labels.table_text import Unreadable

FILE = "file"
KIND, BALLOT, RATER, SOURCE = "kind", "ballot", "rater", "imported_from"
SKIPPED, STRATEGY, SECONDS = "skipped", "strategy", "seconds"
GUESS_SHOWN, CHANGED_KNOWING = "guess_shown", "changed_knowing"
FLAGS = (SKIPPED, GUESS_SHOWN, CHANGED_KNOWING)
AT, CHANGED_AT, NOTE = "at", "changed_at", "note"
BALLOT_COLUMNS = (
    *(KIND, BALLOT, RATER, SOURCE, STRATEGY, SECONDS),
    *(*FLAGS, AT, CHANGED_AT, NOTE),
)
VOTES = "votes"

_FILE_HEADERS = (
    *("file", "filename", "file-name", "파일", "파일명", "파일이름"),
    *("clip", "name", "audio", "wav", "path", "filepath", "file-path"),
)
# Headers that mean something else, so no tag may be called so.
RESERVED = frozenset(_FILE_HEADERS) | {name.replace("_", "-") for name in BALLOT_COLUMNS} | {VOTES}


@dataclass(frozen=True, slots=True)
class Column:
    """``role``: file, tag, votes (of a tag), one of :data:`BALLOT_COLUMNS`, unknown or nameless.
    ``slug`` is set for tag and votes."""

    index: int
    header: str
    role: str
    slug: str = ""
    retired: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def header_key(text: str) -> str:
    """A header or name in the form in which headers are compared."""
    return re.sub(r"[\s_\-]+", "-", unicodedata.normalize("NFC", text).strip().casefold()).strip(
        "-"
    )


def columns_of(headers: Sequence[str], tags: Sequence[TimbreTag]) -> list[Column]:
    """What each column of a table is.

    Raises :class:`Unreadable` where the first line names no columns, where no column could be of
    a tag, and where two columns claim the same.
    """
    headers = [plain(header) for header in headers]
    if len(headers) < 2:
        raise Unreadable(
            "Only one column was found. The first line names the columns, separated by commas, "
            "semicolons or tabs: the file’s name, then one column per tag."
        )
    by_key = {header_key(tag.name): tag for tag in tags} | {
        header_key(tag.slug): tag for tag in tags
    }
    columns = [_column(index, header, by_key) for index, header in enumerate(headers)]
    if all(column.role == "unknown" and _is_answer(column.header) for column in columns[1:]):
        raise Unreadable(
            "The first line must name the columns (for instance: file, warm, bright). It seems to "
            "be a row of labels already."
        )
    columns = _with_file(columns)
    _refuse_twice(columns)
    if not any(column.role in ("tag", "unknown") for column in columns):
        raise Unreadable("No column is for a tag.")
    return columns


def _is_answer(header: str) -> bool:
    try:
        return answer_of(header) is not None
    except NoAnswer:
        return False


def _column(index: int, header: str, by_key: dict[str, TimbreTag]) -> Column:
    key = header_key(header)
    if not key:
        return Column(index, header, "nameless")
    if key in by_key:
        tag = by_key[key]
        return Column(index, header, "tag", tag.slug, tag.retired_at is not None)
    if key.endswith(f"-{VOTES}") and key.removesuffix(f"-{VOTES}") in by_key:
        return Column(index, header, VOTES, by_key[key.removesuffix(f"-{VOTES}")].slug)
    for name in BALLOT_COLUMNS:
        if key == name.replace("_", "-"):
            return Column(index, header, name)
    return Column(index, header, "unknown")


def _with_file(columns: list[Column]) -> list[Column]:
    """The column that holds the file's name is marked: by its header, else the first with one."""
    unknown = [column for column in columns if column.role == "unknown"]
    said = [column for column in unknown if header_key(column.header) in _FILE_HEADERS]
    named = [column for column in columns if column.role != "nameless"]
    if said:
        chosen = min(said, key=lambda column: _FILE_HEADERS.index(header_key(column.header)))
    elif named and named[0].role == "unknown":
        chosen = named[0]
    else:
        raise Unreadable("No column holds the file’s name. Call it “file”.")
    return [
        Column(column.index, column.header, FILE) if column is chosen else column
        for column in columns
    ]


def _refuse_twice(columns: list[Column]) -> None:
    seen: dict[tuple[str, str], Column] = {}
    for column in columns:
        if column.role == "nameless":
            continue
        of_unknown = header_key(column.header) if column.role == "unknown" else column.slug
        before = seen.setdefault((column.role, of_unknown), column)
        if before is not column:
            raise Unreadable(
                f"Two columns are for the same thing: “{before.header}” and “{column.header}”."
            )
