"""Understood rows laid beside the ballots there are: what is new, what differs; and written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from analysis.labels.ballots import recount
from analysis.labels.disputes import settle
from analysis.labels.label_reading import ANSWERS
from analysis.labels.models import Adjudication, Ballot, TimbreTag, VoiceClip, Vote
from analysis.labels.table_columns import FLAGS
from catalog.models import User

_ROWS_AT_ONCE = 2_000
_LONGEST_SOURCE = 200
_RESTORED = ("strategy", "seconds", *FLAGS)

Row = list[Any]


class ImportRefused(Exception):
    """Nothing was written; the message says why, for people."""


@dataclass(slots=True)
class Changes:
    """What rows do to the labels there are."""

    new_ballots: int = 0
    changed_ballots: int = 0
    same_ballots: int = 0
    new_votes: int = 0
    changed_votes: int = 0
    decisions: int = 0
    same_decisions: int = 0


@dataclass(slots=True)
class _Present:
    """The ballots of a portion's clips, by all that a row may know them by."""

    by_id: dict[uuid.UUID, Ballot]
    by_rater: dict[tuple[uuid.UUID, int], Ballot]
    by_source: dict[tuple[uuid.UUID, str], Ballot]
    votes: dict[uuid.UUID, dict[int, str]]
    decisions: dict[tuple[uuid.UUID, int], str]

    def add(self, ballot: Ballot) -> None:
        self.by_id[ballot.pk] = ballot
        if ballot.rater_id is not None:
            self.by_rater[ballot.clip_id, ballot.rater_id] = ballot
        else:
            self.by_source[ballot.clip_id, ballot.imported_from] = ballot


class Writer:
    """Rows of one table. ``tags``: for each letter of a row the tag it is about, or None for a
    column that is left out. ``by`` writes; without it changes are only counted."""

    def __init__(
        self, tags: Sequence[TimbreTag | None], source: str, *, by: User | None = None
    ) -> None:
        self.tags = tags
        self.source = source
        self.by = by
        self.changes = Changes()

    def run(self, rows: Sequence[Row]) -> Changes:
        """Go through all rows. Writing belongs into a transaction of the caller's.

        Raises :class:`ImportRefused` where a clip is gone, or a ballot's id is another clip's.
        """
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            self._portion(rows[first : first + _ROWS_AT_ONCE])
        return self.changes

    def _portion(self, rows: Sequence[Row]) -> None:
        present = _present(rows)
        new: list[Ballot] = []
        touched: dict[uuid.UUID, Ballot] = {}
        moments: dict[uuid.UUID, tuple[datetime, datetime]] = {}
        votes: list[Vote] = []
        for line, clip, letters, extras in rows:
            if extras.get("kind") == "decision":
                self._decide(uuid.UUID(clip), letters, extras, present)
                continue
            said = {
                tag.pk: ANSWERS[letter]
                for tag, letter in zip(self.tags, letters, strict=True)
                if tag is not None and letter in ANSWERS
            }
            ballot = self._find(line, uuid.UUID(clip), extras, present)
            if ballot is None:
                if not said and "ballot" not in extras:
                    continue  # All its answers are in columns that are left out.
                ballot = self._made(uuid.UUID(clip), extras)
                present.add(ballot)
                new.append(ballot)
                if "at" in extras:
                    at = datetime.fromisoformat(extras["at"])
                    moments[ballot.pk] = (
                        at,
                        datetime.fromisoformat(extras.get("changed_at", extras["at"])),
                    )
                self.changes.new_ballots += 1
                changed = False
            else:
                changed = _restored(ballot, extras)
            own = present.votes.setdefault(ballot.pk, {})
            differing = {tag: answer for tag, answer in said.items() if own.get(tag) != answer}
            self.changes.new_votes += sum(tag not in own for tag in differing)
            self.changes.changed_votes += sum(tag in own for tag in differing)
            own |= differing
            if self.by is not None:
                votes += [
                    Vote(ballot=ballot, tag_id=tag, answer=answer)
                    for tag, answer in differing.items()
                ]
            if not ballot._state.adding:
                if changed or differing:
                    touched[ballot.pk] = ballot
                    self.changes.changed_ballots += 1
                else:
                    self.changes.same_ballots += 1
        if self.by is not None:
            _store(new, list(touched.values()), votes, moments)
            recount({ballot.clip_id for ballot in (*new, *touched.values())})

    def _find(
        self, line: int, clip: uuid.UUID, extras: dict[str, Any], present: _Present
    ) -> Ballot | None:
        if "ballot" in extras:
            ballot = present.by_id.get(uuid.UUID(extras["ballot"]))
            if ballot is not None and ballot.clip_id != clip:
                raise ImportRefused(f"Line {line}: the ballot of this id is about another clip.")
            if ballot is not None or "rater" not in extras:
                return ballot
        if "rater" in extras:
            return present.by_rater.get((clip, extras["rater"]))
        return present.by_source.get((clip, self._source(extras)))

    def _made(self, clip: uuid.UUID, extras: dict[str, Any]) -> Ballot:
        return Ballot(
            pk=uuid.UUID(extras["ballot"]) if "ballot" in extras else uuid.uuid4(),
            clip_id=clip,
            rater_id=extras.get("rater"),
            imported_from=self._source(extras),
            strategy=extras.get("strategy", ""),
            seconds=extras.get("seconds"),
            **{flag: extras.get(flag, False) for flag in FLAGS},
        )

    def _source(self, extras: dict[str, Any]) -> str:
        """Where a ballot says it is from: as the table has it, else the table's own name."""
        text = extras.get("source", self.source)
        ending = f": {extras['unknown_rater']}" if "unknown_rater" in extras else ""
        if extras.get("part", 1) > 1:
            ending += f" #{extras['part']}"
        return f"{text[: _LONGEST_SOURCE - len(ending)]}{ending}"

    def _decide(
        self, clip: uuid.UUID, letters: str, extras: dict[str, Any], present: _Present
    ) -> None:
        for tag, letter in zip(self.tags, letters, strict=True):
            if tag is None or letter not in ANSWERS:
                continue
            answer = ANSWERS[letter]
            if present.decisions.get((clip, tag.pk)) == answer:
                self.changes.same_decisions += 1
                continue
            self.changes.decisions += 1
            present.decisions[clip, tag.pk] = answer
            if self.by is not None:
                settle(
                    clip,
                    tag,
                    answer,
                    by=self.by,
                    note=extras.get("note", f"From {self.source}"),
                    decided_by_id=extras.get("rater", self.by.pk),
                    decided_at=datetime.fromisoformat(extras["at"]) if "at" in extras else None,
                )


def _present(rows: Sequence[Row]) -> _Present:
    clips = {uuid.UUID(row[1]) for row in rows}
    gone = clips - set(VoiceClip.objects.filter(pk__in=clips).values_list("pk", flat=True))
    if gone:
        line = next(row[0] for row in rows if uuid.UUID(row[1]) in gone)
        raise ImportRefused(
            f"The clip of line {line} has been taken away since the table was read. Read it again."
        )
    ids = [uuid.UUID(row[3]["ballot"]) for row in rows if "ballot" in row[3]]
    found = _Present({}, {}, {}, {}, {})
    for ballot in Ballot.objects.filter(Q(clip__in=clips) | Q(pk__in=ids)):
        found.add(ballot)
    for ballot_id, tag, answer in Vote.objects.filter(ballot__in=list(found.by_id)).values_list(
        "ballot_id", "tag_id", "answer"
    ):
        found.votes.setdefault(ballot_id, {})[tag] = answer
    for clip, tag, answer in Adjudication.objects.filter(clip__in=clips).values_list(
        "clip_id", "tag_id", "answer"
    ):
        found.decisions[clip, tag] = answer
    return found


def _restored(ballot: Ballot, extras: dict[str, Any]) -> bool:
    """Lay what a row says of its ballot over the one there is; whether that changed anything."""
    changed = False
    for name in _RESTORED:
        if name in extras and getattr(ballot, name) != extras[name]:
            setattr(ballot, name, extras[name])
            changed = True
    return changed


def _store(
    new: list[Ballot],
    touched: list[Ballot],
    votes: list[Vote],
    moments: dict[uuid.UUID, tuple[datetime, datetime]],
) -> None:
    Ballot.objects.bulk_create(new)
    now = timezone.now()
    for ballot in touched:
        ballot.updated_at = now
    Ballot.objects.bulk_update(touched, [*_RESTORED, "updated_at"], batch_size=500)
    Vote.objects.bulk_create(
        votes, update_conflicts=True, unique_fields=["ballot", "tag"], update_fields=["answer"]
    )
    if moments:
        created, changed = zip(*moments.values(), strict=True)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {Ballot._meta.db_table} AS b SET created_at = t.created, "
                "updated_at = t.changed FROM unnest(%s::uuid[], %s::timestamptz[], "
                "%s::timestamptz[]) AS t (id, created, changed) WHERE b.id = t.id",
                [list(moments), list(created), list(changed)],
            )


def conflicts(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows whose ballot's id belongs to another clip here."""
    ids = {row[3]["ballot"]: row for row in rows if "ballot" in row[3]}
    every = list(ids)
    for first in range(0, len(every), _ROWS_AT_ONCE):
        taken = Ballot.objects.filter(pk__in=every[first : first + _ROWS_AT_ONCE])
        for pk, clip in taken.values_list("pk", "clip_id"):
            if ids[str(pk)][1] != str(clip):
                yield ids[str(pk)]
