"""The page of a track's lyrics: following, listening, editing, importing, saving as files."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from analysis import jobs, lyrics_keeping, lyrics_services, stem_files
from analysis.lyrics_document import LyricsRefused, judge_lines, to_json
from analysis.lyrics_file_views import asked_for
from analysis.lyrics_formats import FORMATS
from analysis.lyrics_forms import ImportForm, ListenForm
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.lyrics_selectors import (
    UNSURE_BELOW,
    LyricsPage,
    lyrics_job,
    lyrics_page,
    own_elsewhere,
)
from analysis.models import JobState
from catalog.models import Revision, Track, User
from sonicsite.limits import TokenBuckets, asked_too_often

MOST_POSTED_BYTES = 3 * 1024 * 1024
"""Of one save: 64 KB of text with the times of each word take about half of it."""

# Per account and web process. Machines are kept busy by a listening, the database by a save.
_LISTENINGS = TokenBuckets(rate=0.05, burst=10)
_SAVES = TokenBuckets(rate=0.5, burst=30)


@login_required
@require_safe
def lyrics(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The lyrics of a version of a track, or how to get them."""
    track, revision, revisions = asked_for(request, track_id)
    return _page(request, track, revision, revisions)


@login_required
@require_safe
def status(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """The job's state, asked for every two seconds. When it is over the page is told so, and loads
    itself anew unless there is unsaved work on it."""
    track, revision, _ = asked_for(request, track_id)
    page = lyrics_page(revision)
    context = {"track": track, "revision": revision, "page": page, "is_polled": True}
    response = render(request, "analysis/_lyrics_job.html", context)
    if not page.is_late:
        response["HX-Trigger"] = "lyrics-over"
    return response


@login_required
@require_POST
def listen(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Ask for the words to be heard; ``afresh`` repeats what has been heard in this language."""
    track, revision, _ = asked_for(request, track_id)
    form = ListenForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose a language from the list.")
    elif (wait_s := _LISTENINGS.wait_s(str(request.user.pk))) > 0.0:
        messages.error(request, asked_too_often(wait_s))
    else:
        lyrics_services.request_lyrics(
            revision, language=form.cleaned_data["language"], afresh="afresh" in request.POST
        )
    return redirect(_address(track, revision))


@login_required
@require_POST
def again(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Try the last job again, as it was asked for."""
    track, revision, _ = asked_for(request, track_id)
    job = lyrics_job(revision)
    if job is None:
        raise Http404
    if (wait_s := _LISTENINGS.wait_s(str(request.user.pk))) > 0.0:
        messages.error(request, asked_too_often(wait_s))
    elif job.state in (JobState.FAILED, JobState.CANCELLED):
        lyrics_services.try_again(job)
    return redirect(_address(track, revision))


@login_required
@require_POST
def stop(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Stop the job that waits or runs; what was there before stays."""
    track, revision, _ = asked_for(request, track_id)
    job = lyrics_job(revision)
    if job is not None:
        jobs.cancel(job)
    return redirect(_address(track, revision))


@login_required
@require_POST
def save(request: HttpRequest, track_id: uuid.UUID) -> JsonResponse:
    """Keep edited lines: JSON ``{"base": number, "lines": [...]}``.

    Answers the lines as they were kept and their number. 400 says what is wrong with which line
    (counted from 1 in the order in which they were sent), 409 that somebody saved meanwhile.
    """
    _, revision, _ = asked_for(request, track_id)
    if (wait_s := _SAVES.wait_s(str(request.user.pk))) > 0.0:
        return _wrong(asked_too_often(wait_s), status=429)
    if len(request.body) > MOST_POSTED_BYTES:
        return _wrong("This is more text than a song has.", status=413)
    try:
        posted = json.loads(request.body)
    except (ValueError, RecursionError):
        return _wrong("The lyrics did not arrive whole. Try again.")
    base = posted.get("base") if isinstance(posted, dict) else None
    if not isinstance(base, int) or isinstance(base, bool):
        return _wrong("The lyrics did not arrive whole. Try again.")
    try:
        saved = lyrics_keeping.save_edit(
            revision, posted.get("lines"), base=base, author=_user(request)
        )
    except LyricsRefused as refused:
        errors = [{"line": error.line, "message": error.message} for error in refused.errors]
        return JsonResponse({"detail": str(refused), "errors": errors}, status=400)
    except lyrics_keeping.LyricsConflict as conflict:
        answer = {
            "detail": f"{_conflict(conflict)} Save again to put yours on top; theirs stays among "
            "the versions.",
            "errors": [],
            "number": conflict.newest.number,
        }
        return JsonResponse(answer, status=409)
    return JsonResponse({"number": saved.number, "lines": saved.lines})


@login_required
@require_POST
def import_text(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Take in the artist's own text: kept at once with its own times, or timed to the voice."""
    track, revision, revisions = asked_for(request, track_id)
    form = ImportForm(request.POST, request.FILES)
    if (wait_s := _LISTENINGS.wait_s(str(request.user.pk))) > 0.0:
        messages.error(request, asked_too_often(wait_s))
        return redirect(_address(track, revision))
    if form.is_valid():
        try:
            _take_in(revision, form, _user(request))
        except LyricsRefused as refused:
            for error in refused.errors:
                where = f"Line {error.line}: " if error.line else ""
                form.add_error(None, where + error.message)
        except lyrics_keeping.LyricsConflict as conflict:
            form.add_error(None, f"{_conflict(conflict)} Reload the page to see them.")
        else:
            return redirect(_address(track, revision))
    return _page(request, track, revision, revisions, import_form=form, status=422)


def _take_in(revision: Revision, form: ImportForm, author: User) -> None:
    language = form.cleaned_data["language"]
    if form.cleaned_data["keep_times"]:
        lyrics_keeping.save_version(
            revision,
            judge_lines(to_json(form.read.timed), duration_s=revision.duration_s),
            origin=LyricsOrigin.IMPORTED,
            language=language,
            author=author,
            base=form.cleaned_data["base"],
        )
        return
    lyrics_services.request_alignment(revision, form.read.lines, language=language, author=author)


@login_required
@require_POST
def carry_over(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Time the artist's own lyrics of another version of the track to this one."""
    track, revision, _ = asked_for(request, track_id)
    version = own_elsewhere(revision)
    if version is None:
        raise Http404
    if (wait_s := _LISTENINGS.wait_s(str(request.user.pk))) > 0.0:
        messages.error(request, asked_too_often(wait_s))
    else:
        lyrics_services.request_alignment(
            revision,
            [line["text"] for line in version.lines],
            language=version.language,
            author=_user(request),
        )
    return redirect(_address(track, revision))


@login_required
@require_POST
def restore(request: HttpRequest, track_id: uuid.UUID) -> HttpResponse:
    """Go back to an earlier own version (``number``), or to what was heard (without one)."""
    track, revision, _ = asked_for(request, track_id)
    base, number = (request.POST.get(name, "") for name in ("base", "number"))
    if not (base.isascii() and base.isdigit() and len(base) < 9):
        raise Http404
    try:
        if number:
            version = _version(revision, number)
            lyrics_keeping.restore(revision, version, base=int(base), author=_user(request))
        else:
            lyrics_keeping.revert_to_machine(revision, base=int(base), author=_user(request))
    except lyrics_keeping.LyricsConflict as conflict:
        messages.error(request, f"{_conflict(conflict)} Look at them, and choose again.")
    except LyricsRefused as refused:
        messages.error(request, f"This version cannot be restored. {refused}")
    return redirect(_address(track, revision))


def _version(revision: Revision, number: str) -> LyricsVersion:
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise Http404
    found: LyricsVersion | None = revision.lyrics_versions.filter(number=int(number)).first()
    if found is None or found.origin == LyricsOrigin.MACHINE:
        raise Http404
    return found


# --- Parts ----------------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    track: Track,
    revision: Revision,
    revisions: list[Revision],
    *,
    import_form: ImportForm | None = None,
    status: int = 200,
) -> HttpResponse:
    page = lyrics_page(revision)
    query = f"?revision={revision.number}"
    has_voice = stem_files.stems_report(revision) is not None
    language = page.language or (page.own.language if page.own else "")
    context: dict[str, Any] = {
        "track": track,
        "artist": track.artist,
        "revision": revision,
        "revisions": revisions,
        "is_owner": True,
        "page": page,
        "formats": FORMATS,
        "listen_form": ListenForm(initial={"language": page.language}),
        "import_form": import_form
        or ImportForm(initial={"language": language, "base": page.number}),
        "import_is_open": import_form is not None,
        "audio_url": reverse("revision_audio", args=[revision.pk]),
        "voice_url": reverse("lyrics_voice", args=[track.pk]) + query if has_voice else "",
        "script_data": _script_data(track, revision, page, query),
    }
    return render(request, "analysis/lyrics.html", context, status=status)


def _script_data(track: Track, revision: Revision, page: LyricsPage, query: str) -> dict[str, Any]:
    """What the page's script works on; it goes through ``json_script``, which escapes it."""
    return {
        "lines": to_json(page.lines),
        "number": page.number,
        "duration_s": revision.duration_s,
        "unsure_below": UNSURE_BELOW,
        "page_url": reverse("lyrics", args=[track.pk]) + query,
        "save_url": reverse("lyrics_save", args=[track.pk]) + query,
    }


def _address(track: Track, revision: Revision) -> str:
    return f"{reverse('lyrics', args=[track.pk])}?revision={revision.number}"


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _conflict(conflict: lyrics_keeping.LyricsConflict) -> str:
    newest = conflict.newest
    return (
        f"These lyrics were changed at {newest.created_at:%H:%M} UTC, in another window or by "
        "somebody else, and nothing was overwritten."
    )


def _wrong(detail: str, *, status: int = 400) -> JsonResponse:
    return JsonResponse({"detail": detail, "errors": []}, status=status)
