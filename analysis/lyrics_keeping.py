"""Writes of the artist's own lyrics: saving, going back, and who saves over whom."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from analysis.lyrics_document import TimedLine, judge_lines, to_json
from analysis.lyrics_models import VERSIONS_KEPT, LyricsOrigin, LyricsVersion
from analysis.lyrics_selectors import heard_report, newest_version
from catalog.models import Revision, User


class LyricsConflict(Exception):
    """Somebody saved meanwhile; ``newest`` is what they saved, and nothing was written over it."""

    def __init__(self, newest: LyricsVersion) -> None:
        super().__init__(str(newest))
        self.newest = newest


def save_version(
    revision: Revision,
    lines: Sequence[TimedLine],
    *,
    origin: LyricsOrigin,
    language: str,
    author: User | None,
    base: int | None = None,
) -> LyricsVersion:
    """Keep a new state of the artist's own lyrics; the oldest beyond thirty are dropped.

    ``base`` is the number of the version that the artist saw when the change began; None for what
    does not depend on it. Raises LyricsConflict if there is a newer one.
    """
    with transaction.atomic():
        # One save at a time for a revision, so that numbers stay in their order.
        Revision.objects.select_for_update().get(pk=revision.pk)
        newest = newest_version(revision)
        number = newest.number if newest is not None else 0
        if base is not None and newest is not None and base != number:
            raise LyricsConflict(newest)
        saved = LyricsVersion(
            revision=revision,
            number=number + 1,
            origin=origin,
            language=language,
            lines=to_json(lines),
            author=author,
        )
        saved.full_clean()
        saved.save()
        revision.lyrics_versions.filter(number__lte=saved.number - VERSIONS_KEPT).delete()
    return saved


def save_edit(
    revision: Revision, posted: object, *, base: int, author: User | None
) -> LyricsVersion:
    """Keep what the artist edited. Raises LyricsRefused, LyricsConflict."""
    lines = judge_lines(posted, duration_s=revision.duration_s)
    newest, heard = newest_version(revision), heard_report(revision)
    language = newest.language if newest is not None else ""
    if not language and heard is not None:
        language = str(heard.document.get("language", ""))
    return save_version(
        revision,
        lines,
        origin=LyricsOrigin.EDITED,
        language=language,
        author=author,
        base=base,
    )


def revert_to_machine(revision: Revision, *, base: int, author: User | None) -> LyricsVersion:
    """Show again what was heard; the artist's versions stay to be restored. Raises
    LyricsConflict."""
    return save_version(
        revision, [], origin=LyricsOrigin.MACHINE, language="", author=author, base=base
    )


def restore(
    revision: Revision, version: LyricsVersion, *, base: int, author: User | None
) -> LyricsVersion:
    """Make an earlier version the newest one again. Raises LyricsRefused, LyricsConflict."""
    return save_version(
        revision,
        judge_lines(version.lines, duration_s=revision.duration_s),
        origin=LyricsOrigin(version.origin),
        language=version.language,
        author=author,
        base=base,
    )
