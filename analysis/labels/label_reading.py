"""A table of labels understood: every row either as it will be written, or a problem with its line
number. Nothing is written here."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from analysis.labels import table_columns as names
from analysis.labels.models import Answer
from analysis.labels.table_cells import NoAnswer, answer_of, name_keys, plain, share_of
from analysis.labels.table_columns import Column
from catalog.names import clean_text

# One letter per answer, as rows keep them; "-" is a blank cell.
LETTERS = {Answer.YES: "1", Answer.NO: "0", Answer.UNSURE: "?", None: "-"}
ANSWERS = {"1": Answer.YES, "0": Answer.NO, "?": Answer.UNSURE}
MAX_VOTES = 100
SETTLED = "settled"
_LONGEST_SECONDS = 86_400.0


class BadRow(ValueError):
    """A row that cannot be written: the column it is about (or nothing), and why."""

    def __init__(self, text: str, column: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.column = column


@dataclass(frozen=True, slots=True)
class Known:
    """What rows may refer to. ``clips``: key of a name (:func:`name_keys`) to the ids it could
    mean; ``raters``: e-mail in lower case to id."""

    clips: dict[str, set[uuid.UUID]]
    raters: dict[str, int]

    @classmethod
    def of(cls, clips: Iterable[tuple[uuid.UUID, str]], raters: dict[str, int]) -> Known:
        """From pairs of id and name."""
        by_key: dict[str, set[uuid.UUID]] = defaultdict(set)
        for clip_id, name in clips:
            for key in name_keys(name):
                by_key[key].add(clip_id)
        return cls(dict(by_key), raters)

    def clip(self, name: str) -> uuid.UUID:
        """The clip that a name means. Raises :class:`BadRow` where there is none, or several."""
        for key in name_keys(name):
            found = self.clips.get(key, set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise BadRow(f"“{name}” could mean {len(found)} clips. Write the whole name.")
        raise BadRow(f"No clip here is called “{clean_text(name, 120)}”.")


@dataclass(slots=True)
class Understood:
    """``rows``: [line, clip id, letters (one per column of ``answer_columns``), extras]. Extras:
    rater, ballot, source, strategy, seconds, the flags, at, changed_at, note, kind ("decision"),
    part. ``unfit``: columns of no tag whose cells are no answers, with the first such cell."""

    answer_columns: list[Column]
    rows: list[list[Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    unfit: dict[int, str] = field(default_factory=dict)
    lines: int = 0
    without_answers: int = 0
    repeated: int = 0
    unknown_raters: int = 0
    matched: int = 0


def understand(
    columns: Sequence[Column], lines: Iterable[tuple[int, list[str]]], known: Known
) -> Understood:
    """Every line of a table, after its headers."""
    answers = [column for column in columns if column.role in ("tag", "unknown")]
    found = Understood(answers)
    seen: dict[tuple[Any, ...], list[Any]] = {}
    contradicted: set[int] = set()
    for line, cells in lines:
        found.lines += 1
        try:
            for row in _Row(columns, cells, known, found).read(line):
                key = _key(row)
                before = seen.setdefault(key, row)
                if before is row:
                    found.rows.append(row)
                elif before[1:] == row[1:]:
                    found.repeated += 1
                else:
                    contradicted.add(before[0])
                    raise BadRow(f"Line {before[0]} gives other answers for the same clip.")
        except BadRow as problem:
            _add_problem(found, line, problem)
    if contradicted:
        for line in sorted(contradicted):
            _add_problem(found, line, BadRow("A later line gives other answers for the same clip."))
        found.rows = [row for row in found.rows if row[0] not in contradicted]
        found.problems.sort(key=lambda problem: problem["line"])
    return found


def _add_problem(found: Understood, line: int, problem: BadRow) -> None:
    found.problems.append({"line": line, "column": problem.column, "text": problem.text})


def _key(row: list[Any]) -> tuple[Any, ...]:
    """What may stand in a table once only."""
    _, clip, letters, extras = row
    if extras.get("kind") == "decision":
        return ("decision", clip, *(at for at, letter in enumerate(letters) if letter != "-"))
    if "ballot" in extras:
        return ("ballot", extras["ballot"])
    if "rater" in extras:
        return ("rater", clip, extras["rater"])
    said = (extras.get("source", ""), extras.get("unknown_rater", ""))
    return ("source", clip, *said, extras.get("part", 1))


class _Row:
    """One line of a table, cell by cell."""

    def __init__(
        self, columns: Sequence[Column], cells: list[str], known: Known, found: Understood
    ) -> None:
        if any(cells[len(columns) :]):
            raise BadRow("The row has more cells than the first line names columns.")
        self.cells = cells + [""] * (len(columns) - len(cells))
        self.columns = columns
        self.known = known
        self.found = found
        self.at = {column.role: column.index for column in columns if not column.slug}
        self.votes = {column.slug: column.index for column in columns if column.role == names.VOTES}

    def read(self, line: int) -> list[list[Any]]:
        """The rows to write: none for a line without answers, several for shares of votes."""
        name = plain(self._cell(names.FILE))
        if not name:
            raise BadRow("The file’s name is missing.")
        if "\n" in name:
            raise BadRow(
                "The file’s name goes over several lines: a quotation mark may be missing."
            )
        clip = str(self.known.clip(name))
        self.found.matched += 1
        extras = self._extras()
        parts: dict[int, list[str]] = defaultdict(lambda: ["-"] * len(self.found.answer_columns))
        decided = ["-"] * len(self.found.answer_columns)
        for at, column in enumerate(self.found.answer_columns):
            if column.slug in self.votes:
                self._read_share(column, at, parts, decided)
            else:
                parts[1][at] = self._letter(column)
        rows = []
        for part, letters in sorted(parts.items()):
            own = {**extras, "part": part} if part > 1 else extras
            if set(letters) != {"-"} or "ballot" in own:
                rows.append([line, clip, "".join(letters), own])
        for at, letter in enumerate(decided):
            if letter != "-":
                one = "-" * at + letter + "-" * (len(decided) - at - 1)
                rows.append([line, clip, one, {"kind": "decision"}])
        if not rows:
            self.found.without_answers += 1
        return rows

    def _cell(self, role: str) -> str:
        return self.cells[self.at[role]] if role in self.at else ""

    def _letter(self, column: Column) -> str:
        cell = self.cells[column.index]
        try:
            return LETTERS[answer_of(cell)]
        except NoAnswer as error:
            if column.role == "unknown":
                self.found.unfit.setdefault(column.index, clean_text(cell, 60))
                return "-"
            hint = (
                f"It is a share: say of how many votes in a column “{column.header} {names.VOTES}”."
                if share_of(cell) is not None
                else "Write 1, 0, ? or leave it blank."
            )
            raise BadRow(f"“{clean_text(cell, 60)}” is no answer. {hint}", column.header) from error

    def _read_share(
        self, column: Column, at: int, parts: dict[int, list[str]], decided: list[str]
    ) -> None:
        """A share of yes and a number of votes, as so many ballots; or what staff have settled."""
        cell, count = self.cells[column.index], self.cells[self.votes[column.slug]].casefold()
        share = share_of(cell)
        if count in ("", "0") or share is None:
            parts[1][at] = self._letter(column)
            return
        if count == SETTLED:
            if share not in (0.0, 1.0):
                raise BadRow("What is settled is 1 or 0.", column.header)
            decided[at] = "1" if share else "0"
            return
        if not (count.isascii() and count.isdecimal()) or not 1 <= int(count) <= MAX_VOTES:
            raise BadRow(
                f"The number of votes must be 1 to {MAX_VOTES}, or “{SETTLED}”.", column.header
            )
        votes = int(count)
        yes = round(share * votes)
        if abs(yes / votes - share) > 0.006:
            raise BadRow(f"{cell} is no share of {votes} votes.", column.header)
        for part in range(1, votes + 1):
            parts[part][at] = "1" if part <= yes else "0"

    def _extras(self) -> dict[str, Any]:
        extras: dict[str, Any] = {}
        kind = self._cell(names.KIND).casefold()
        if kind == "decision":
            extras["kind"] = kind
        elif kind not in ("", "ballot"):
            raise BadRow("It must be “ballot” or “decision”.", names.KIND)
        if self._cell(names.BALLOT) and kind != "decision":
            extras["ballot"] = str(_uuid(self._cell(names.BALLOT)))
        email = plain(self._cell(names.RATER)).lower()
        if email in self.known.raters:
            extras["rater"] = self.known.raters[email]
        elif email:
            self.found.unknown_raters += 1
            extras["unknown_rater"] = clean_text(email, 100)
        if names.SOURCE in self.at:
            extras["source"] = clean_text(plain(self._cell(names.SOURCE)), 200)
        for flag in names.FLAGS:
            if self._cell(flag):
                extras[flag] = _said(self._cell(flag), flag)
        if self._cell(names.STRATEGY):
            extras["strategy"] = clean_text(plain(self._cell(names.STRATEGY)), 20)
        if self._cell(names.SECONDS):
            extras["seconds"] = _seconds(self._cell(names.SECONDS))
        for role in (names.AT, names.CHANGED_AT):
            if self._cell(role):
                extras[role] = _moment(self._cell(role), role).isoformat()
        if kind == "decision" and names.NOTE in self.at:
            extras["note"] = clean_text(plain(self._cell(names.NOTE)), 300)
        return extras


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise BadRow("It is no id of a ballot.", names.BALLOT) from error


def _said(text: str, column: str) -> bool:
    try:
        answer = answer_of(text)
    except NoAnswer:
        answer = Answer.UNSURE
    if answer not in (Answer.YES, Answer.NO):
        raise BadRow("It must be 1 or 0.", column)
    return answer == Answer.YES


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", "."))
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= _LONGEST_SECONDS:
        raise BadRow("It is no number of seconds.", names.SECONDS)
    return seconds


def _moment(text: str, column: str) -> datetime:
    try:
        moment = parse_datetime(text)
        moment = make_aware(moment) if moment is not None and is_naive(moment) else moment
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise BadRow("It is no date and time (like 2026-03-01T12:00:00Z).", column)
    return moment
