"""Writes of webhooks: endpoints, their secrets, tests and replays. Callers have checked who may."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from analysis.api.webhooks import addresses, delivering, signing
from analysis.api.webhooks.kinds import CHOOSABLE, PING
from catalog.models import User, WebhookDelivery, WebhookEndpoint, WebhookEvent
from catalog.webhook_models import DeliveryState

MAX_ENDPOINTS = 10
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP_HOURS = 7 * 24
KEEP_FOR = timedelta(days=30)
MOST_REPLAYED = 10_000
PINGS_PER_MINUTE = 10


def create_endpoint(
    owner: User, *, url: str, events: Iterable[str], site_url: str, description: str = ""
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is never shown again; raises ValidationError."""
    secret = signing.new_secret()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)
        if owner.webhook_endpoints.count() >= MAX_ENDPOINTS:
            raise ValidationError(f"There is room for {MAX_ENDPOINTS} webhooks. Delete one first.")
        endpoint = WebhookEndpoint(
            owner=owner,
            url=_checked_url(url),
            events=_checked_events(events),
            description=description.strip(),
            site_url=site_url,
            sealed_secret=signing.seal(secret),
        )
        endpoint.full_clean()
        endpoint.save(force_insert=True)
    return endpoint, secret


def update_endpoint(
    endpoint: WebhookEndpoint,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    description: str | None = None,
    active: bool | None = None,
) -> None:
    """Change what is given; switching on forgets past failures. Raises ValidationError."""
    if url is not None:
        endpoint.url = _checked_url(url)
    if events is not None:
        endpoint.events = _checked_events(events)
    if description is not None:
        endpoint.description = description.strip()
    if active is not None and active != endpoint.active:
        endpoint.active = active
        endpoint.failing_since = None
        endpoint.last_ms = 0
        endpoint.disabled_at = None if active else timezone.now()
        endpoint.disabled_reason = "" if active else "You switched it off."
    endpoint.full_clean()
    endpoint.save()
    if active is False:
        WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING).update(
            state=DeliveryState.DEAD,
            locked_until=None,
            settled_at=timezone.now(),
            error="The endpoint was switched off.",
        )


def delete_endpoint(endpoint: WebhookEndpoint) -> None:
    """Delete an endpoint with all that was or was to be sent to it."""
    endpoint.delete()


def rotate_secret(endpoint: WebhookEndpoint, *, overlap: timedelta = OVERLAP) -> str:
    """A new secret; the one before signs beside it for the overlap, none older does any more."""
    secret = signing.new_secret()
    now = timezone.now()
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        row.sealed_previous = row.sealed_secret if overlap else ""
        row.previous_until = now + overlap if overlap else None
        row.sealed_secret = signing.seal(secret)
        row.save(update_fields=["sealed_previous", "previous_until", "sealed_secret", "updated_at"])
    endpoint.refresh_from_db()
    return secret


def ping(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a test as soon as the sender comes round; raises ValidationError if it is off, or
    after too many in a minute."""
    _must_be_on(endpoint)
    now = timezone.now()
    recent = endpoint.own_events.filter(created_at__gt=now - timedelta(minutes=1))
    if recent.count() >= PINGS_PER_MINUTE:
        raise ValidationError("That was a lot of tests. Wait a minute.", code="too_many")
    with transaction.atomic():
        event = WebhookEvent.objects.create(
            kind=PING.name,
            endpoint=endpoint,
            data={"text": "This is a test."},
            fanned_out_at=now,
        )
        return WebhookDelivery.objects.create(
            endpoint=endpoint,
            event=event,
            next_attempt_at=now,
            give_up_at=now + delivering.TRY_FOR,
        )


def replay(delivery: WebhookDelivery) -> bool:
    """Send once more what was delivered or given up, with the same id; False if it waits anyway or
    was withheld. Raises ValidationError if the endpoint is off."""
    _must_be_on(delivery.endpoint)
    return bool(_again(WebhookDelivery.objects.filter(pk=delivery.pk)))


def replay_dead(endpoint: WebhookEndpoint) -> int:
    """Send once more all that was given up; returns how many. Raises ValidationError if it is
    off."""
    _must_be_on(endpoint)
    dead = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.DEAD)
    oldest = dead.order_by("created_at").values("pk")[:MOST_REPLAYED]
    return _again(dead.filter(pk__in=oldest))


def _again(deliveries: QuerySet[WebhookDelivery]) -> int:
    now = timezone.now()
    return deliveries.filter(state__in=(DeliveryState.DELIVERED, DeliveryState.DEAD)).update(
        state=DeliveryState.PENDING,
        attempts=0,
        next_attempt_at=now,
        give_up_at=now + delivering.TRY_FOR,
        locked_until=None,
        settled_at=None,
    )


def tidy() -> int:
    """Forget events, with their deliveries, after 30 days; returns how many."""
    old = WebhookEvent.objects.filter(created_at__lt=timezone.now() - KEEP_FOR)
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.PENDING).values("event")
    chosen = list(old.exclude(pk__in=waiting).values_list("pk", flat=True)[:5_000])
    WebhookEvent.objects.filter(pk__in=chosen).delete()
    return len(chosen)


def _must_be_on(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise ValidationError("This webhook is switched off. Switch it on first.", code="inactive")


def _checked_url(url: str) -> str:
    url = url.strip()
    try:
        addresses.parse(url)
    except addresses.AddressRefused as refusal:
        raise ValidationError({"url": str(refusal)}) from refusal
    return url


def _checked_events(events: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(events))
    unknown = [name for name in chosen if name not in CHOOSABLE]
    if unknown:
        raise ValidationError({"events": f"There is no event “{unknown[0][:40]}”."})
    if not chosen:
        raise ValidationError({"events": "Choose at least one event."})
    return chosen
