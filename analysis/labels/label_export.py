"""Labels as a table: one row per clip or one per ballot, written as it is read, in portions."""

from __future__ import annotations

import codecs
import csv
import io
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from analysis.labels import table_columns as names
from analysis.labels.consensus import SoftLabel, consensus
from analysis.labels.label_reading import SETTLED
from analysis.labels.models import (
    Adjudication,
    Answer,
    Ballot,
    ClipState,
    TimbreTag,
    VoiceClip,
    Vote,
)
from analysis.labels.table_cells import harmless
from analysis.labels.table_text import DELIMITERS, ENCODINGS

_CLIPS_AT_ONCE = 2_000
_ROWS_AT_ONCE = 500
KINDS = (
    ("majority", "One row per clip: 1, 0, or ? where votes are even"),
    ("shares", "One row per clip: the share of yes, and of how many votes"),
    ("ballots", "One row per ballot, with rater and decisions: loses nothing"),
)
_SIGNS = {Answer.YES: "1", Answer.NO: "0", Answer.UNSURE: "?"}

Row = list[str]


class NotExportable(ValueError):
    """The table cannot be written as it was asked for; the message is for people."""


@dataclass(frozen=True, slots=True)
class Options:
    """``kind``: of :data:`KINDS`. ``unlabelled``: clips without any label too (for filling in
    elsewhere). ``retired``: columns of retired tags too. Raises :class:`NotExportable`."""

    kind: str = "majority"
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    unlabelled: bool = False
    retired: bool = False

    def __post_init__(self) -> None:
        if self.kind not in dict(KINDS):
            raise NotExportable("There is no such kind of table.")
        if self.encoding not in dict(ENCODINGS):
            raise NotExportable("There is no such encoding.")
        if self.delimiter not in dict(DELIMITERS):
            raise NotExportable("The separator is a comma, a semicolon or a tab.")


def exported(options: Options) -> Iterator[bytes]:
    """The table in pieces, encoded. Raises :class:`NotExportable`, perhaps late, for a character
    that the encoding does not have: nothing is ever replaced."""
    rows = _ballot_rows(options) if options.kind == "ballots" else _clip_rows(options)
    # A mark stands at the beginning only, so the encoder remembers that it has begun.
    encoder = _encoder(options.encoding)
    for piece in _pieces(rows, options.delimiter):
        try:
            yield encoder.encode(piece)
        except UnicodeEncodeError as error:
            character = piece[error.start : error.start + 1]
            raise NotExportable(
                f"“{character}” cannot be written in {dict(ENCODINGS)[options.encoding]}. Choose "
                "UTF-8."
            ) from error


def may_fail(options: Options) -> bool:
    """Whether the encoding lacks characters, so a table in it may turn out impossible."""
    return not options.encoding.startswith("utf")


def _encoder(encoding: str) -> Any:
    return codecs.getincrementalencoder(encoding)()


def _pieces(rows: Iterable[Row], delimiter: str) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    for number, row in enumerate(rows, start=1):
        writer.writerow(row)
        if number % _ROWS_AT_ONCE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _tags(options: Options) -> list[TimbreTag]:
    tags = TimbreTag.objects.all()
    if not options.retired:
        tags = tags.filter(retired_at__isnull=True)
    return list(tags)


def _clips(options: Options) -> QuerySet[VoiceClip]:
    """Clips that have a label or, if wanted, could have one."""
    labelled = Q(Exists(Ballot.objects.filter(clip=OuterRef("pk")))) | Q(
        Exists(Adjudication.objects.filter(clip=OuterRef("pk")))
    )
    if options.unlabelled:
        labelled |= Q(state=ClipState.POOL)
    return VoiceClip.objects.filter(labelled).order_by("name").only("pk", "name")


def _portions(clips: QuerySet[VoiceClip]) -> Iterator[list[VoiceClip]]:
    """In the order of their names, without keeping all in memory."""
    last = ""
    while portion := list(clips.filter(name__gt=last)[:_CLIPS_AT_ONCE]):
        yield portion
        last = portion[-1].name


def _clip_rows(options: Options) -> Iterator[Row]:
    slugs = [tag.slug for tag in _tags(options)]
    shares = options.kind == "shares"
    of_votes = [f"{slug} {names.VOTES}" for slug in slugs] if shares else []
    yield [names.FILE, *slugs, *of_votes]
    for portion in _portions(_clips(options)):
        ids = [clip.pk for clip in portion]
        labels = consensus(ids, slugs)
        unsure = _unsure(ids)
        for clip in portion:
            own = labels.get(clip.pk, {})
            said = [own.get(slug) for slug in slugs]
            blank = ["?" if (clip.pk, slug) in unsure else "" for slug in slugs]
            cells = [
                empty if label is None else _share(label) if shares else _majority(label)
                for label, empty in zip(said, blank, strict=True)
            ]
            counts = [_count(label) for label in said] if shares else []
            yield [harmless(clip.name), *cells, *counts]


def _majority(label: SoftLabel) -> str:
    return "?" if label.value == 0.5 else str(int(label.value > 0.5))


def _share(label: SoftLabel) -> str:
    return f"{label.value:.4f}".rstrip("0").rstrip(".")


def _count(label: SoftLabel | None) -> str:
    if label is None:
        return ""
    return SETTLED if label.adjudicated else str(label.votes)


def _unsure(clip_ids: list[uuid.UUID]) -> set[tuple[uuid.UUID, str]]:
    """Clips and tags about which somebody said "can't tell"."""
    votes = Vote.objects.filter(ballot__clip__in=clip_ids, answer=Answer.UNSURE)
    settled = Adjudication.objects.filter(clip__in=clip_ids, answer=Answer.UNSURE)
    return set(votes.values_list("ballot__clip_id", "tag__slug")) | set(
        settled.values_list("clip_id", "tag__slug")
    )


def _ballot_rows(options: Options) -> Iterator[Row]:
    """Every ballot of a clip, the oldest first, then what staff have settled about it. All tags,
    retired ones too, for these rows are to lose nothing."""
    tags = list(TimbreTag.objects.all())
    yield [names.FILE, *names.BALLOT_COLUMNS, *(tag.slug for tag in tags)]
    for portion in _portions(_clips(options)):
        ids = [clip.pk for clip in portion]
        ballots: dict[uuid.UUID, list[Ballot]] = defaultdict(list)
        for ballot in Ballot.objects.filter(clip__in=ids).select_related("rater"):
            ballots[ballot.clip_id].append(ballot)
        votes: dict[uuid.UUID, dict[int, str]] = defaultdict(dict)
        for ballot_id, tag, answer in Vote.objects.filter(ballot__clip__in=ids).values_list(
            "ballot_id", "tag_id", "answer"
        ):
            votes[ballot_id][tag] = _SIGNS[Answer(answer)]
        decisions: dict[uuid.UUID, list[Adjudication]] = defaultdict(list)
        for decision in Adjudication.objects.filter(clip__in=ids).select_related("decided_by"):
            decisions[decision.clip_id].append(decision)
        for clip in portion:
            name = harmless(clip.name)
            for ballot in ballots[clip.pk]:
                answers = [votes[ballot.pk].get(tag.pk, "") for tag in tags]
                yield [name, *_of_ballot(ballot), *answers]
            for decision in decisions[clip.pk]:
                answer = _SIGNS[Answer(decision.answer)]
                answers = [answer if tag.pk == decision.tag_id else "" for tag in tags]
                yield [name, *_of_decision(decision), *answers]
            if not ballots[clip.pk] and not decisions[clip.pk]:
                yield [name, *("" for _ in (*names.BALLOT_COLUMNS, *tags))]


def _of_ballot(ballot: Ballot) -> Row:
    cells = {
        names.KIND: "ballot",
        names.BALLOT: str(ballot.pk),
        names.RATER: ballot.rater.email if ballot.rater else "",
        names.SOURCE: ballot.imported_from,
        **{flag: str(int(getattr(ballot, flag))) for flag in names.FLAGS},
        names.STRATEGY: ballot.strategy,
        names.SECONDS: "" if ballot.seconds is None else repr(ballot.seconds),
        names.AT: ballot.created_at.isoformat(),
        names.CHANGED_AT: ballot.updated_at.isoformat(),
    }
    return [harmless(cells.get(name, "")) for name in names.BALLOT_COLUMNS]


def _of_decision(decision: Adjudication) -> Row:
    cells = {
        names.KIND: "decision",
        names.RATER: decision.decided_by.email if decision.decided_by else "",
        names.AT: decision.decided_at.isoformat(),
        names.NOTE: decision.note,
    }
    return [harmless(cells.get(name, "")) for name in names.BALLOT_COLUMNS]
