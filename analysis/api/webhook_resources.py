"""Webhooks: addresses of yours that are told what happens, and what was sent to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import idempotency
from analysis.api.filters import Filter
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Changing, Creating, Deleting, Listing, Reading
from analysis.api.webhook_documents import (
    DeliveryOut,
    ReplayOut,
    RotateIn,
    WebhookChange,
    WebhookIn,
    WebhookOut,
)
from analysis.api.webhooks import selectors, services
from analysis.api.webhooks.kinds import KINDS
from catalog.models import WebhookDelivery, WebhookEndpoint
from catalog.partner_models import Scope
from catalog.webhook_models import DeliveryState

_SCOPES = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), Scope.WEBHOOKS.value)


class _Owned:
    """Rows of the caller's account; nobody sees another's, whoever asks."""

    scopes: ClassVar[Mapping[str, str]] = _SCOPES
    tag: ClassVar[str] = "webhooks"

    def visible(self) -> QuerySet[Any]:
        owner = {self.owner: self.caller.user.pk}  # type: ignore[attr-defined]
        return self.rows().filter(**owner)  # type: ignore[attr-defined]

    def one(self, scope: str) -> Any:
        """The row, if it is the caller's. Raises Problem."""
        found = self.visible().filter(pk=self.kwargs[self.key]).first()  # type: ignore[attr-defined]
        if found is None:
            raise Problem("not_found")
        return found


class _TellsSecret(ApiView):
    """Adds the secret to an answer after what is kept of it for repetition has been written."""

    _secret: str | None = None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if self._secret is not None and getattr(response, "status_code", 500) < 300:
            response.data = {**response.data, "secret": self._secret}
        return super().finalize_response(request, response, *args, **kwargs)


class _Endpoints(_Owned):
    output = WebhookOut
    owner = "owner"

    def rows(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.all()

    def address(self, row: WebhookEndpoint) -> str:
        return reverse("api:webhook", args=[row.pk])


class WebhooksView(_Endpoints, _TellsSecret, Listing, Creating):
    """Your account's webhooks, newest first; at most ten. The answer to a new one has a secret."""

    summaries = {"GET": "List webhooks", "POST": "Make a webhook"}
    input = WebhookIn

    def create(self, data: dict[str, Any]) -> WebhookEndpoint:
        endpoint, self._secret = services.create_endpoint(
            self.caller.user,
            url=data["url"],
            events=data["events"],
            description=data.get("description", ""),
            site_url=self.request.build_absolute_uri("/"),
        )
        return endpoint


class WebhookView(_Endpoints, Reading, Changing, Deleting):
    """One webhook. Deleting it also deletes what was and what was to be sent to it."""

    summaries = {
        "GET": "Read a webhook",
        "PATCH": "Change a webhook, switch it on or off",
        "DELETE": "Delete a webhook",
    }
    key = "webhook_id"
    changes = WebhookChange

    def change(self, row: WebhookEndpoint, data: dict[str, Any]) -> None:
        services.update_endpoint(row, **data)

    def delete_row(self, row: WebhookEndpoint) -> None:
        services.delete_endpoint(row)


class _ActsOnEndpoint(ApiView):
    scopes = _SCOPES
    tag = "webhooks"
    repeatable = idempotency.Way.TRANSACTION

    def endpoint(self, webhook_id: UUID) -> WebhookEndpoint:
        """The caller's own endpoint. Raises Http404."""
        return selectors.get_endpoint(self.caller.user, webhook_id)


class WebhookPingView(_ActsOnEndpoint):
    """Sends a test to a webhook, within seconds; at most ten a minute."""

    summaries = {"POST": "Send a test"}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: DeliveryOut}}

    def post(self, request: Request, webhook_id: UUID) -> Response:
        delivery = services.ping(self.endpoint(webhook_id))
        return _accepted(delivery, self.context())


class WebhookRotateView(_TellsSecret, _ActsOnEndpoint):
    """Makes a new secret. Messages are signed with both until the overlap is over."""

    summaries = {"POST": "Make a new secret"}
    requests: ClassVar[dict[str, Any]] = {"POST": RotateIn}
    answers: ClassVar[dict[str, Any]] = {"POST": {200: WebhookOut}}

    def post(self, request: Request, webhook_id: UUID) -> Response:
        data = self.read(RotateIn)
        endpoint = self.endpoint(webhook_id)
        hours = data.get("overlap_hours", services.OVERLAP.total_seconds() / 3_600)
        self._secret = services.rotate_secret(endpoint, overlap=timedelta(hours=hours))
        return Response(WebhookOut(endpoint, context=self.context()).data)


class WebhookReplayView(_ActsOnEndpoint):
    """Sends again all messages that were given up, with the ids they had."""

    summaries = {"POST": "Send all dead letters again"}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: ReplayOut}}

    def post(self, request: Request, webhook_id: UUID) -> Response:
        return Response({"count": services.replay_dead(self.endpoint(webhook_id))}, status=202)


class _Deliveries(_Owned):
    output = DeliveryOut
    owner = "endpoint__owner"

    def rows(self) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.select_related("endpoint", "event").filter(
            endpoint=self.kwargs["webhook_id"]  # type: ignore[attr-defined]
        )


class DeliveriesView(_Deliveries, Listing):
    """Messages to one webhook of the last 30 days, newest first."""

    summaries = {"GET": "List messages"}
    filters = (
        Filter("state", "state", help="Messages in this state.", choices=DeliveryState.values),
        Filter("event", "event__kind", help="Messages of this kind.", choices=tuple(KINDS)),
    )

    def visible(self) -> QuerySet[Any]:
        selectors.get_endpoint(self.caller.user, self.kwargs["webhook_id"])
        return super().visible()


class DeliveryView(_Deliveries, Reading):
    """One message to one webhook."""

    summaries = {"GET": "Read a message"}
    key = "delivery_id"


class DeliveryReplayView(_ActsOnEndpoint):
    """Sends one message again that was delivered or given up, with the id it had."""

    summaries = {"POST": "Send a message again"}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: DeliveryOut}}
    problems: ClassVar[dict[str, Any]] = {"POST": (409,)}

    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        with transaction.atomic():
            delivery = selectors.get_delivery(self.endpoint(webhook_id), delivery_id)
            if not services.replay(delivery):
                raise Problem("conflict", "It waits to be sent, or may not be sent.")
        delivery.refresh_from_db()
        return _accepted(delivery, self.context())


def _accepted(delivery: WebhookDelivery, context: dict[str, Any]) -> Response:
    data = DeliveryOut(delivery, context=context).data
    return Response(
        data,
        status=202,
        headers={
            "Location": reverse("api:webhook_delivery", args=[delivery.endpoint_id, delivery.pk])
        },
    )
