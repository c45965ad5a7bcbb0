"""Lyrics: what counts for a file, the artist's own, and files for players and videos."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import conditions, idempotency
from analysis.api.jobs import JobOut, accepted
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Reading
from analysis.api.serializing import Input, Output, StrictChar, StrictInteger
from analysis.downloads import as_download
from analysis.lyrics_document import (
    MOST_ALIGNED_CHARACTERS,
    MOST_LINES,
    LyricsRefused,
    judge_lines,
    lines_of,
    to_json,
)
from analysis.lyrics_formats import FORMATS, SongNames
from analysis.lyrics_keeping import LyricsConflict, save_version
from analysis.lyrics_languages import LANGUAGES
from analysis.lyrics_models import LyricsOrigin
from analysis.lyrics_reading import read_lyrics
from analysis.lyrics_selectors import LyricsPage, lyrics_page
from analysis.lyrics_services import request_alignment
from catalog.models import Revision
from catalog.partner_models import Scope

_LINE: dict[str, Any] = {
    "start_s": 12.0,
    "end_s": 14.6,
    "text": "I'm sitting here",
    "words": [{"start_s": 12.0, "end_s": 12.4, "text": "I'm", "confidence": 0.93}],
}
_TYPES = sorted({form.content_type.partition(";")[0] for form in FORMATS.values()})


class LyricsOut(Output):
    """The lyrics that count: the artist's own if there are any, else what was heard."""

    example: ClassVar[dict[str, Any]] = {
        "number": 3,
        "is_own": True,
        "origin": "edited",
        "language": "en",
        "singing": True,
        "duration_s": 213.4,
        "lines": [_LINE],
    }

    number = serializers.IntegerField(help_text="Of the artist's newest version; 0: none.")
    is_own = serializers.BooleanField()
    origin = serializers.CharField(help_text="edited, imported, aligned, or heard.")
    language = serializers.CharField(help_text="ISO 639-1; empty if unknown.")
    singing = serializers.BooleanField()
    duration_s = serializers.FloatField()
    lines = serializers.ListField(
        child=serializers.DictField(),
        help_text="In the order of time: `start_s`, `end_s`, `text`, `words` with times and "
        "`confidence` (null: nobody judged it).",
    )


class LyricsIn(Input):
    """The artist's own lines with their times; words may be left out. `base` is the `number` that
    they were made from: 409 if somebody saved meanwhile."""

    example: ClassVar[dict[str, Any]] = {"base": 2, "language": "en", "lines": [_LINE]}

    lines = serializers.ListField(child=serializers.JSONField(), max_length=MOST_LINES)
    language = serializers.ChoiceField(choices=list(LANGUAGES), required=False)
    base = StrictInteger(required=False, min_value=0, max_value=2**31 - 1)


class LyricsTextIn(Input):
    """The artist's own text, one sung line to a row (or LRC, SRT, WebVTT, whose times are left
    out)."""

    example: ClassVar[dict[str, Any]] = {"text": "I'm sitting here\nBy the sea", "language": "en"}

    text = StrictChar(max_length=MOST_ALIGNED_CHARACTERS, trim_whitespace=False)
    language = serializers.ChoiceField(choices=list(LANGUAGES), required=False)


def _rows() -> QuerySet[Revision]:
    return Revision.objects.select_related("track__album", "artist__user")


def _document(page: LyricsPage) -> dict[str, Any]:
    document = page.document
    if document is None:
        raise Problem("not_found", "There are no lyrics yet.")
    return {
        "number": page.number,
        "is_own": page.is_own,
        "origin": page.own.origin if page.own is not None else "heard",
        "language": str(document.get("language") or ""),
        "singing": bool(document.get("singing")),
        "duration_s": float(document.get("duration_s") or 0.0),
        "lines": to_json(lines_of(document)),
    }


def _refused(error: LyricsRefused) -> Problem:
    errors = [
        {
            "field": f"lines.{each.line - 1}" if each.line else "lines",
            "code": "invalid",
            "message": each.message,
        }
        for each in error.errors
    ]
    return Problem("invalid", str(error)[:500], errors=errors)


class LyricsView(Reading):
    """The lyrics of a file. PUT keeps the artist's own as a new version; earlier ones stay on the
    lyrics' page, and no later hearing touches them."""

    tag = "lyrics"
    summaries = {"GET": "Read lyrics", "PUT": "Keep the artist's own lyrics"}
    output = LyricsOut
    key = "revision_id"
    requests: ClassVar[dict[str, Any]] = {"PUT": LyricsIn}
    problems: ClassVar[dict[str, Any]] = {"PUT": (409,)}

    answers: ClassVar[dict[str, Any]] = {
        "GET": {200: LyricsOut, 304: None},
        "PUT": {200: LyricsOut},
    }

    def rows(self) -> QuerySet[Revision]:
        return _rows()

    def one(self, scope: str) -> dict[str, Any]:
        """The lyrics, if the caller may see the file. Raises Problem."""
        return _document(lyrics_page(super().one(scope)))

    def put(self, request: Request, revision_id: Any) -> Response:
        data = self.read(LyricsIn)
        revision = self.caller.get(_rows(), revision_id, scope=Scope.WRITE)
        before = lyrics_page(revision)
        language = data.get("language") or str((before.document or {}).get("language") or "")
        try:
            save_version(
                revision,
                judge_lines(data["lines"], duration_s=revision.duration_s),
                origin=LyricsOrigin.EDITED,
                language=language,
                author=self.caller.user,
                base=data.get("base"),
            )
        except LyricsRefused as error:
            raise _refused(error) from error
        except LyricsConflict as error:
            raise Problem(
                "conflict",
                f"Somebody saved meanwhile: the newest is {error.newest.number}.",
                reason="newer_lyrics",
            ) from error
        written = self.write(_document(lyrics_page(revision)))
        return Response(written, headers={"ETag": conditions.tag_of(written)})


class LyricsAlignView(ApiView):
    """Has the artist's own text timed to the voice. When the job is done it is her newest version;
    stems are made first where there are none."""

    tag = "lyrics"
    summaries = {"POST": "Time a text to the voice"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.TRANSACTION
    requests: ClassVar[dict[str, Any]] = {"POST": LyricsTextIn}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: JobOut}}

    def post(self, request: Request, revision_id: Any) -> Response:
        data = self.read(LyricsTextIn)
        revision = self.caller.get(_rows(), revision_id, scope=Scope.WRITE)
        try:
            lines = read_lyrics(data["text"]).lines
        except LyricsRefused as error:
            raise _refused(error) from error
        if not lines:
            raise Problem("invalid", "There are no words in the text.")
        job = request_alignment(
            revision, lines, language=data.get("language", ""), author=self.caller.user
        )
        return accepted(job, self.context())


class LyricsFileView(ApiView):
    """The lyrics as a file: `lrc`, `enhanced-lrc` (with the time of each word), `srt`, `vtt` or
    `txt`."""

    tag = "lyrics"
    summaries = {"GET": "Download lyrics"}
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, kind): str for kind in _TYPES}}

    def get(self, request: Request, revision_id: Any, kind: str) -> HttpResponse:
        revision = self.caller.get(_rows(), revision_id)
        if kind not in FORMATS:
            raise Problem("not_found", f"The kinds are: {', '.join(FORMATS)}.")
        document = _document(lyrics_page(revision))
        if not document["lines"]:
            raise Problem("not_found", "No words were heard.")
        track, form = revision.track, FORMATS[kind]
        song = SongNames(
            title=str(track),
            artist=revision.artist.name,
            album=track.album.title if track.album else "",
            language=document["language"],
            duration_s=revision.duration_s,
        )
        text = form.write(lines_of(document), song)
        response = HttpResponse(text.encode(), content_type=form.content_type)
        return as_download(response, f"{revision.artist.name} - {track} {form.ending}")
