"""What the labelling page sends, read with care: anything that is not as it should be is refused
in words, with a status below 500."""

from __future__ import annotations

import json
import math
import uuid
from typing import Any

from django.http import HttpRequest, JsonResponse

from analysis.labels.ballots import Answers, Refusal
from sonicsite.limits import TokenBuckets, asked_too_often

MOST_BYTES = 20_000
MOST_HELD = 50
MOST_TAGS = 100

# Per account and web process: far more than anybody can answer, and less than a script could ask.
_CLIPS = TokenBuckets(rate=4.0, burst=60)
_ANSWERS = TokenBuckets(rate=4.0, burst=120)


def document_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a request's body."""
    try:
        if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
            raise _unreadable("That is too much at once.", status=413)
    except ValueError as error:
        raise _unreadable() from error
    try:
        found = json.loads(request.body.decode())
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(found, dict):
        raise _unreadable()
    return found


def id_of(value: object) -> uuid.UUID:
    """A UUID as the page writes it."""
    try:
        return uuid.UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise _unreadable() from error


def ids_of(values: object) -> list[uuid.UUID]:
    """A list of UUIDs, as many as a page may hold."""
    if not isinstance(values, list) or len(values) > MOST_HELD:
        raise _unreadable(f"A list of at most {MOST_HELD} clips is expected.")
    return [id_of(value) for value in values]


def page_of(value: object) -> uuid.UUID | None:
    """The id that an open page gives itself, or None where it gives none."""
    return None if value is None else id_of(value)


def answers_of(document: dict[str, Any]) -> Answers:
    """Votes, skip and seconds; which tags there are is checked by the service."""
    votes = document.get("votes", {})
    if (
        not isinstance(votes, dict)
        or len(votes) > MOST_TAGS
        or not all(isinstance(answer, str) for answer in votes.values())
    ):
        raise _unreadable("Votes are an object of tags and answers.")
    seconds = document.get("seconds")
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise _unreadable("Seconds are a number.")
        if abs(seconds) > 1e9 or not math.isfinite(seconds):
            raise _unreadable("Seconds are a number.")
        seconds = float(seconds)
    return Answers(votes, skipped=document.get("skipped") is True, seconds=seconds)


def limit_clips(request: HttpRequest) -> None:
    """Raises Refusal for an account that asks for clips faster than anybody can hear them."""
    _limit(_CLIPS, request)


def limit_answers(request: HttpRequest) -> None:
    """Raises Refusal for an account that answers faster than anybody can."""
    _limit(_ANSWERS, request)


def refused(refusal: Refusal) -> JsonResponse:
    """The answer to what does not count."""
    answer = JsonResponse({"code": refusal.code, "detail": refusal.message}, status=refusal.status)
    if refusal.retry_after_s is not None:
        answer["Retry-After"] = str(refusal.retry_after_s)
    return answer


def _limit(buckets: TokenBuckets, request: HttpRequest) -> None:
    wait_s = buckets.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        raise Refusal(
            "too_often",
            asked_too_often(wait_s),
            status=429,
            retry_after_s=math.ceil(wait_s),
        )


def _unreadable(text: str = "This request cannot be read.", *, status: int = 400) -> Refusal:
    return Refusal("unreadable", text, status=status)
