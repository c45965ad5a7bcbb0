"""What the labelling page asks for while it is open: clips, locks, answers. JSON, for labellers.

What the model says about a clip is in no answer but that to a vote (``ballots.show_guess``).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from analysis.labels import ballots, clip_locks, labelling_selectors, queue
from analysis.labels.access import labeller_required
from analysis.labels.ballots import Refusal
from analysis.labels.labelling_requests import (
    answers_of,
    document_of,
    id_of,
    ids_of,
    limit_answers,
    limit_clips,
    page_of,
    refused,
)
from analysis.labels.models import Ballot, VoiceClip
from catalog.models import User


def _in_words(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Refusal as refusal:
            response = refused(refusal)
        response["Cache-Control"] = "no-store"
        return response

    return answered


@labeller_required
@require_POST
@_in_words
def next_clip(request: HttpRequest) -> HttpResponse:
    """``{"holding": [clip ids], "page": id}``: the next clip, locked for this rater and page, or
    null."""
    limit_clips(request)
    sent = document_of(request)
    clip = queue.next_clip(
        _rater(request), holding=ids_of(sent.get("holding", [])), page=page_of(sent.get("page"))
    )
    return JsonResponse(
        {
            "clip": None if clip is None else clip_document(clip),
            "remaining": labelling_selectors.remaining().clips,
        }
    )


@labeller_required
@require_POST
@_in_words
def hold(request: HttpRequest) -> HttpResponse:
    """``{"clips": [ids]}``, a sign of life: which of them are lost to somebody else."""
    limit_clips(request)
    lost = clip_locks.hold(_rater(request), ids_of(document_of(request).get("clips")))
    return JsonResponse({"lost": [str(pk) for pk in lost]})


@labeller_required
@require_POST
@_in_words
def release(request: HttpRequest) -> HttpResponse:
    """The form field ``clips`` (JSON list of ids) gives these back; with ``page``, sent as it is
    left, all others that the page has asked for, too."""
    try:
        clips = json.loads(request.POST.get("clips", ""))
    except (ValueError, RecursionError):
        clips = None
    page = page_of(request.POST.get("page") or None)
    if page is None:
        clip_locks.release(_rater(request), ids_of(clips))
    else:
        clip_locks.leave(_rater(request), page, ids_of(clips))
    return HttpResponse(status=204)


@labeller_required
@require_POST
@_in_words
def submit(request: HttpRequest) -> HttpResponse:
    """``{"ballot": id, "clip": id, "votes": {tag: answer}, "skipped": bool, "seconds": number,
    "guess": bool}``. With ``guess`` the answer brings what the model says."""
    limit_answers(request)
    sent = document_of(request)
    ballot = ballots.submit(
        _rater(request),
        ballot_id=id_of(sent.get("ballot")),
        clip_id=id_of(sent.get("clip")),
        answers=answers_of(sent),
    )
    return _stored(ballot, sent)


@labeller_required
@require_POST
@_in_words
def change(request: HttpRequest, ballot_id: uuid.UUID) -> HttpResponse:
    """Other votes for an own ballot; sent as for :func:`submit`."""
    limit_answers(request)
    sent = document_of(request)
    return _stored(ballots.change(_rater(request), ballot_id, answers_of(sent)), sent)


@labeller_required
@require_POST
@_in_words
def take_back(request: HttpRequest, ballot_id: uuid.UUID) -> HttpResponse:
    """Undo an own ballot."""
    limit_answers(request)
    return JsonResponse({"ballot": str(ballots.take_back(_rater(request), ballot_id).pk)})


@labeller_required
@require_safe
@_in_words
def before(request: HttpRequest) -> HttpResponse:
    """The own ballot before ``?ballot=``, or the newest without it; null where there is none."""
    limit_clips(request)
    wanted = request.GET.get("ballot", "")
    found = labelling_selectors.ballot_before(_rater(request), id_of(wanted) if wanted else None)
    return JsonResponse({"ballot": None if found is None else ballot_document(found)})


@labeller_required
@require_safe
@_in_words
def one(request: HttpRequest, ballot_id: uuid.UUID) -> HttpResponse:
    """An own ballot, to look at it again."""
    limit_clips(request)
    found = labelling_selectors.own_ballot(_rater(request), ballot_id)
    if found is None:
        raise Refusal("gone", "This answer is gone, and so is its clip perhaps.", status=404)
    return JsonResponse({"ballot": ballot_document(found)})


def clip_document(clip: VoiceClip) -> dict[str, Any]:
    """All that the page learns of a clip before it is answered: neither who sings, nor what the
    model thinks, nor why it was chosen."""
    return {
        "id": str(clip.pk),
        "audio": reverse("voice_clip_audio", args=[clip.pk]),
        "picture": reverse("voice_clip_spectrogram", args=[clip.pk]),
        "seconds": round(clip.end_s - clip.start_s, 3),
    }


def ballot_document(ballot: Ballot) -> dict[str, Any]:
    """An own ballot and its clip; votes for retired tags stay out."""
    return {
        "id": str(ballot.pk),
        "clip": clip_document(ballot.clip),
        "skipped": ballot.skipped,
        "votes": {
            vote.tag.slug: vote.answer for vote in ballot.votes.all() if vote.tag.retired_at is None
        },
    }


def _stored(ballot: Ballot, sent: dict[str, Any]) -> HttpResponse:
    guess = ballots.show_guess(ballot) if sent.get("guess") is True else None
    return JsonResponse(
        {
            "ballot": str(ballot.pk),
            "guess": None if guess is None else {tag: round(p, 3) for tag, p in guess.items()},
        }
    )


def _rater(request: HttpRequest) -> User:
    return cast(User, request.user)
