"""From events to deliveries, and each delivery from attempt to attempt until it is settled.

At least once: a sender that dies in the middle loses its lock, and the same message, with the same
``webhook-id``, is sent again. Every change is conditional on the lock, so that a sender thought
dead cannot write over its successor.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from analysis.api.webhooks import entitlement, message, sending, signing
from analysis.api.webhooks.sending import Answer
from catalog.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from catalog.webhook_models import DeliveryState

log = logging.getLogger(__name__)

TRY_FOR = timedelta(hours=24)
FIRST_PAUSE_S = 10.0
PAUSE_GROWTH = 3.0
LONGEST_PAUSE_S = 4 * 3_600.0
JITTER = 0.2
DISABLE_AFTER = timedelta(days=5)
LOCK_FOR = timedelta(seconds=90)
AT_ONCE_PER_ENDPOINT = 4
SLOW_MS = 3_000
_FAN_OUT_AT_ONCE = 200
_LOCK_NUMBER = 7_320

_DUE = """
    SELECT id FROM (
        SELECT d.id, d.next_attempt_at,
               row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.next_attempt_at, d.id)
               + (SELECT count(*) FROM catalog_webhookdelivery busy
                  WHERE busy.endpoint_id = d.endpoint_id AND busy.state = 'pending'
                    AND busy.locked_until > %(now)s) AS turn
        FROM catalog_webhookdelivery d JOIN catalog_webhookendpoint e ON e.id = d.endpoint_id
        WHERE d.state = 'pending' AND d.next_attempt_at <= %(now)s AND e.active
          AND (d.locked_until IS NULL OR d.locked_until <= %(now)s)
          AND (e.failing_since IS NOT NULL OR e.last_ms > %(slow_ms)s) = %(troubled)s
    ) ranked
    WHERE turn <= %(at_once)s
    ORDER BY next_attempt_at, id
    LIMIT %(room)s
"""


@dataclass(frozen=True)
class Claimed:
    """A delivery in the hands of this sender until ``locked_until``."""

    delivery_id: uuid.UUID
    locked_until: datetime
    troubled: bool


def fan_out() -> int:
    """Make deliveries of events that have none yet; returns how many. Safe beside other senders."""
    made = 0
    with transaction.atomic():
        now = timezone.now()
        events = list(
            WebhookEvent.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(fanned_out_at__isnull=True)
            .order_by("created_at")[:_FAN_OUT_AT_ONCE]
        )
        for event in events:
            rows = [
                WebhookDelivery(
                    endpoint=endpoint, event=event, next_attempt_at=now, give_up_at=now + TRY_FOR
                )
                for endpoint in entitlement.entitled_endpoints(event)
            ]
            made += len(WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True))
        WebhookEvent.objects.filter(pk__in=[event.pk for event in events]).update(fanned_out_at=now)
    return made


def claim(room: int, *, room_for_troubled: int) -> list[Claimed]:
    """Take due deliveries: a few per endpoint at a time, one for an endpoint that fails or is slow,
    and of those not more than ``room_for_troubled``."""
    claimed: list[Claimed] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK_NUMBER])
        if not cursor.fetchone()[0]:
            return []  # another sender is doing it right now
        for troubled, at_once in ((False, AT_ONCE_PER_ENDPOINT), (True, 1)):
            left = room - len(claimed)
            left = min(left, room_for_troubled) if troubled else left
            if left <= 0:
                continue
            now = timezone.now()
            values: dict[str, Any] = {
                "now": now,
                "slow_ms": SLOW_MS,
                "troubled": troubled,
                "at_once": at_once,
                "room": left,
            }
            cursor.execute(_DUE, values)
            for (delivery_id,) in cursor.fetchall():
                locked_until = now + LOCK_FOR
                taken = WebhookDelivery.objects.filter(
                    Q(locked_until__isnull=True) | Q(locked_until__lte=now),
                    pk=delivery_id,
                    state=DeliveryState.PENDING,
                ).update(locked_until=locked_until, attempts=F("attempts") + 1)
                if taken:
                    claimed.append(Claimed(delivery_id, locked_until, troubled))
    return claimed


def attempt(claimed: Claimed, *, post: Callable[..., Answer] = sending.post) -> None:
    """Make one attempt at a claimed delivery and write down what came of it."""
    delivery = (
        WebhookDelivery.objects.select_related("endpoint__owner", "event")
        .filter(_ours(claimed), pk=claimed.delivery_id)
        .first()
    )
    if delivery is None:
        return
    endpoint, event = delivery.endpoint, delivery.event
    if not entitlement.may_know(endpoint, event):
        _settle(
            claimed,
            state=DeliveryState.WITHHELD,
            error="Not sent: you may no longer see this, or the endpoint no longer asks for it.",
        )
        return
    content = message.body(endpoint, event)
    try:
        headers = message.headers(endpoint, event, content)
    except signing.SecretUnreadable as error:
        answer = Answer(status=None, excerpt="", error=str(error), duration_ms=0)
    else:
        answer = post(endpoint.url, headers=headers, body=content)
    _record(claimed, delivery, answer)


def _ours(claimed: Claimed) -> Q:
    return Q(state=DeliveryState.PENDING, locked_until=claimed.locked_until)


def _settle(claimed: Claimed, **changes: object) -> bool:
    now = timezone.now()
    changes = {"locked_until": None, "last_attempt_at": now, **changes}
    if changes.get("state", DeliveryState.PENDING) != DeliveryState.PENDING:
        changes["settled_at"] = now
    ours = WebhookDelivery.objects.filter(_ours(claimed), pk=claimed.delivery_id)
    return bool(ours.update(**changes))


def _record(claimed: Claimed, delivery: WebhookDelivery, answer: Answer) -> None:
    found: dict[str, object] = {
        "status_code": answer.status,
        "response_excerpt": answer.excerpt,
        "error": answer.error,
        "duration_ms": answer.duration_ms,
    }
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    if answer.taken:
        with transaction.atomic():
            if _settle(claimed, state=DeliveryState.DELIVERED, **found):
                endpoint.update(failing_since=None, last_ms=answer.duration_ms)
        return
    now = timezone.now()
    pause = timedelta(seconds=pause_s(delivery.attempts, asked_for_s=answer.retry_after_s))
    if now >= delivery.give_up_at:
        found["state"] = DeliveryState.DEAD
    else:
        # The last attempt is made when the day is over, not before.
        found["next_attempt_at"] = min(now + pause, delivery.give_up_at)
    with transaction.atomic():
        if not _settle(claimed, **found):
            return
        endpoint.update(failing_since=Coalesce("failing_since", now), last_ms=answer.duration_ms)
    if answer.status == 410:
        disable(delivery.endpoint_id, "It answered 410 Gone: it does not want to be sent anything.")
    elif endpoint.filter(failing_since__lte=now - DISABLE_AFTER).exists():
        disable(
            delivery.endpoint_id,
            f"Every delivery has failed for {DISABLE_AFTER.days} days. The last one: "
            f"{answer.error}",
        )


def pause_s(attempts: int, *, asked_for_s: float | None = None) -> float:
    """Seconds until the next attempt: 10, 30, 90 ... up to four hours, each ± 20 % so that what
    failed together does not come back together; longer where the receiver asks for it."""
    pause = min(FIRST_PAUSE_S * PAUSE_GROWTH ** min(attempts - 1, 20), LONGEST_PAUSE_S)
    pause *= random.uniform(1 - JITTER, 1 + JITTER)
    return max(pause, min(asked_for_s or 0.0, LONGEST_PAUSE_S))


def disable(endpoint_id: uuid.UUID, reason: str) -> bool:
    """Stop sending to an endpoint, give up what waits for it, and tell its owner by e-mail."""
    now = timezone.now()
    with transaction.atomic():
        changed = WebhookEndpoint.objects.filter(pk=endpoint_id, active=True).update(
            active=False, disabled_reason=reason[:300], disabled_at=now, updated_at=now
        )
        if not changed:
            return False
        WebhookDelivery.objects.filter(endpoint=endpoint_id, state=DeliveryState.PENDING).update(
            state=DeliveryState.DEAD, locked_until=None, settled_at=now
        )
    endpoint = WebhookEndpoint.objects.select_related("owner").get(pk=endpoint_id)
    _tell_owner(endpoint, reason)
    return True


def _tell_owner(endpoint: WebhookEndpoint, reason: str) -> None:
    site = settings.SITE_NAME
    page = endpoint.site_url.rstrip("/") + reverse("webhook", args=[endpoint.pk])
    text = (
        f"We have stopped sending webhooks to\n\n  {endpoint.url}\n\n{reason}\n\n"
        "What could not be delivered is kept for 30 days. When the address works again, switch "
        f"it on and send it again:\n\n  {page}\n"
    )
    try:
        send_mail(f"{site}: a webhook was switched off", text, None, [endpoint.owner.email])
    except (OSError, ValueError):  # smtplib's errors are OSErrors; the page says the same
        log.exception("could not tell %s that a webhook was switched off", endpoint.owner_id)
