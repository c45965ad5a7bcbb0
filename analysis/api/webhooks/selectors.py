"""Reads of webhooks: an account's endpoints, and what was sent to them."""

from __future__ import annotations

import uuid

from django.db.models import Count, Q, QuerySet
from django.http import Http404

from catalog.models import User, WebhookDelivery, WebhookEndpoint
from catalog.webhook_models import DeliveryState


def endpoints_of(user: User) -> QuerySet[WebhookEndpoint]:
    """An account's endpoints, with ``waiting_count`` and ``dead_count``."""
    return WebhookEndpoint.objects.filter(owner=user).annotate(
        waiting_count=Count("deliveries", filter=Q(deliveries__state=DeliveryState.PENDING)),
        dead_count=Count("deliveries", filter=Q(deliveries__state=DeliveryState.DEAD)),
    )


def get_endpoint(user: User, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """An endpoint of this account; Http404 for any other, whoever asks."""
    endpoint = endpoints_of(user).select_related("owner").filter(pk=endpoint_id).first()
    if endpoint is None:
        raise Http404
    return endpoint


def deliveries_of(endpoint: WebhookEndpoint, *, state: str = "") -> QuerySet[WebhookDelivery]:
    """What was or is to be sent to an endpoint, the newest first."""
    rows = endpoint.deliveries.select_related("event").order_by("-created_at", "-id")
    return rows.filter(state=state) if state else rows


def get_delivery(endpoint: WebhookEndpoint, delivery_id: uuid.UUID) -> WebhookDelivery:
    """A delivery of this endpoint, or Http404."""
    delivery = (
        deliveries_of(endpoint).select_related("endpoint", "event").filter(pk=delivery_id).first()
    )
    if delivery is None:
        raise Http404
    return delivery
