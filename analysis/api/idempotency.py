"""``Idempotency-Key``: a creating call that is sent again is answered again, and done once.

The first call's row is written in the transaction that does the work: a second one with the same
key waits for the database's own lock, and finds the stored answer; after a crash nothing is left of
either. Calls that cannot be one transaction (uploads: their bytes take minutes) are marked as under
way instead, with a lock that ends with its process; they are repeatable in themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from enum import Enum

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api.problems import MEDIA_TYPE, Problem
from catalog.partner_models import IdempotencyRecord
from sonicsite.locks import alone_with

KEPT_FOR = timedelta(hours=24)
_WAIT_MS = 10_000
# Answers that say nothing about the call itself are not kept.
_NOT_KEPT = frozenset({401, 403, 408, 409, 412, 429})
_KEPT_HEADERS = ("Location", "ETag", "Content-Location", "Tus-Resumable", "Upload-Expires")


class Way(Enum):
    """How a creating call is made repeatable."""

    TRANSACTION = "transaction"
    MARK = "mark"


Answer = Callable[[], Response]


def key_of(request: Request) -> str:
    """The key; empty if there is none. Raises Problem."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if key and not (len(key) <= 255 and key.isascii() and key.isprintable()):
        raise Problem("malformed", "Idempotency-Key has 1 to 255 printable ASCII letters.")
    return key


def fingerprint(request: Request, body: bytes) -> str:
    """What makes two calls the same call."""
    target = f"{request.method} {request.get_full_path()}\n{request.content_type or ''}\n"
    return hashlib.sha256(target.encode() + body).hexdigest()


def once(principal: str, key: str, mark: str, way: Way, answer: Answer) -> Response:
    """The answer to a call: the stored one if it has been answered before, else ``answer()``,
    which never raises. Raises Problem for another call under the same key, or one under way."""
    forget_old(principal, key)
    if way is Way.MARK:
        return _marked(principal, key, mark, answer)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {_WAIT_MS}")
            row = _enter(principal, key, mark)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
            if row is None:
                return _again(principal, key, mark)
            with transaction.atomic():
                response = answer()
                if response.status_code >= 400:
                    transaction.set_rollback(True)
            return _keep(row, response)
    except OperationalError as error:
        if "lock timeout" not in str(error):
            raise
        raise _under_way() from error


def _enter(principal: str, key: str, mark: str) -> IdempotencyRecord | None:
    try:
        with transaction.atomic():
            return IdempotencyRecord.objects.create(principal=principal, key=key, fingerprint=mark)
    except IntegrityError:
        return None


def _again(principal: str, key: str, mark: str) -> Response:
    row = IdempotencyRecord.objects.filter(principal=principal, key=key).first()
    if row is not None and row.fingerprint != mark:
        raise Problem("idempotency_key_reused", "Choose another key for another call.")
    if row is None or row.status is None:
        raise _under_way()
    response = Response(status=row.status, headers={**row.headers, "Idempotent-Replayed": "true"})
    response.stored_body = bytes(row.body)
    response.content_type = MEDIA_TYPE if row.status >= 400 else "application/json"
    return response


def _keep(row: IdempotencyRecord, response: Response) -> Response:
    if response.status_code >= 500 or response.status_code in _NOT_KEPT:
        row.delete()
        return response
    row.status = response.status_code
    row.headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    data = getattr(response, "data", None)
    row.body = b"" if data is None else JSONRenderer().render(data)
    row.save()
    return response


def _marked(principal: str, key: str, mark: str, answer: Answer) -> Response:
    with alone_with(f"idempotency {principal} {key}") as alone:
        row = _enter(principal, key, mark) if alone else None
        if row is None:
            row = IdempotencyRecord.objects.filter(principal=principal, key=key).first()
            # A mark without an answer that nobody holds was left by a process that died.
            if not alone or row is None or row.status is not None or row.fingerprint != mark:
                return _again(principal, key, mark)
        return _keep(row, answer())


def _under_way() -> Problem:
    return Problem(
        "idempotency_in_progress", "Wait for the first call's answer.", headers={"Retry-After": "2"}
    )


def forget_old(principal: str, key: str) -> None:
    """A key is free again after a day."""
    IdempotencyRecord.objects.filter(
        principal=principal, key=key, created_at__lt=timezone.now() - KEPT_FOR
    ).delete()


def tidy() -> int:
    """Delete all records that are older than a day; returns how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]
