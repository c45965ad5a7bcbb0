"""Who may know of an event: asked when it is handed out, and again right before it is sent."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.models import Artist, WebhookEndpoint, WebhookEvent
from catalog.partner_models import Scope
from catalog.partner_selectors import grants_in_force


def entitled_endpoints(event: WebhookEvent) -> QuerySet[WebhookEndpoint]:
    """The active endpoints that subscribed to an event of their own: of the artist whose music it
    is about, and of partners whom she lets see it now."""
    rows = WebhookEndpoint.objects.filter(active=True, owner__is_active=True)
    if event.endpoint_id is not None:
        return rows.filter(pk=event.endpoint_id)
    happened_at = event.created_at or timezone.now()
    rows = rows.filter(events__contains=[event.kind], created_at__lte=happened_at)
    if event.recipient_id is not None:
        return rows.filter(owner=event.recipient_id)
    if event.artist_id is None:
        return rows.none()
    owner = Artist.objects.filter(pk=event.artist_id).values("user")
    partners = (
        grants_in_force()
        .filter(artist=event.artist_id, scopes__contains=[Scope.READ])
        .values("partner")
    )
    return rows.filter(Q(owner__in=owner) | Q(owner__in=partners))


def may_know(endpoint: WebhookEndpoint, event: WebhookEvent) -> bool:
    """Whether an endpoint may be told of an event at this moment."""
    return entitled_endpoints(event).filter(pk=endpoint.pk).exists()
