"""What is read and written about webhooks."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from analysis.api.serializing import Input, Output, StrictBoolean, StrictChar, StrictInteger
from analysis.api.webhooks import message, services
from analysis.api.webhooks.addresses import MAX_LENGTH
from analysis.api.webhooks.kinds import CHOOSABLE, KINDS
from catalog.models import WebhookDelivery, WebhookEndpoint
from catalog.webhook_models import DeliveryState


class WebhookOut(Output):
    """An address of yours. `secret` is there in the answer that makes it, and never again: an
    answer repeated by its Idempotency-Key does not have it either."""

    example: ClassVar[dict[str, Any]] = {
        "id": "f3b1c9a2-2f57-4c2b-9d4e-0c8f4a5b6d71",
        "url": "https://partner.example/hooks",
        "description": "Reports into our catalogue",
        "events": ["analysis.finished", "analysis.failed"],
        "active": True,
        "disabled_reason": "",
        "failing_since": None,
        "previous_secret_until": None,
        "secret": None,
        "created_at": "2026-01-05T09:30:00Z",
    }

    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(choices=CHOOSABLE))
    active = serializers.BooleanField()
    disabled_reason = serializers.CharField(help_text="Why nothing is sent to it.")
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failure since the last success."
    )
    previous_secret_until = serializers.DateTimeField(
        source="previous_until",
        allow_null=True,
        help_text="Until then messages are signed with the previous secret, too.",
    )
    secret = serializers.SerializerMethodField(help_text="Shown once.")
    created_at = serializers.DateTimeField()

    def get_secret(self, endpoint: WebhookEndpoint) -> str | None:
        return None


class WebhookChange(Input):
    """What can be changed in a webhook. Switched on again, it forgets that it failed."""

    example: ClassVar[dict[str, Any]] = {
        "url": "https://partner.example/hooks",
        "events": ["analysis.finished"],
        "active": True,
    }

    url = StrictChar(max_length=MAX_LENGTH)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=CHOOSABLE), min_length=1, max_length=len(CHOOSABLE)
    )
    description = StrictChar(max_length=200, allow_blank=True, required=False)
    active = StrictBoolean(required=False)


class WebhookIn(Input):
    """A new webhook. Its address is one of the public internet, without user or password."""

    example: ClassVar[dict[str, Any]] = {
        "url": "https://partner.example/hooks",
        "events": ["analysis.finished", "analysis.failed"],
        "description": "Reports into our catalogue",
    }

    url = StrictChar(max_length=MAX_LENGTH)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=CHOOSABLE), min_length=1, max_length=len(CHOOSABLE)
    )
    description = StrictChar(max_length=200, allow_blank=True, required=False)


class DeliveryOut(Output):
    """One message to one webhook: what it says, and how it fares."""

    example: ClassVar[dict[str, Any]] = {
        "id": "a6d0c3de-9a0b-4c55-8b6f-3f2b1e4d5c60",
        "message_id": "msg_5b1e7c0f2d3a4b6c8e9f0a1b2c3d4e5f",
        "event": "analysis.finished",
        "state": "delivered",
        "attempts": 1,
        "next_attempt_at": None,
        "last_attempt_at": "2026-02-01T10:00:31Z",
        "status_code": 204,
        "error": "",
        "response_excerpt": "",
        "duration_ms": 83,
        "payload": {"type": "analysis.finished", "version": 1, "data": {"artist": 17}},
        "created_at": "2026-02-01T10:00:30Z",
    }

    id = serializers.UUIDField()
    message_id = serializers.SerializerMethodField(
        help_text="The `webhook-id` header: the same at every attempt."
    )
    event = serializers.ChoiceField(source="event.kind", choices=list(KINDS))
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.SerializerMethodField()
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    response_excerpt = serializers.CharField(help_text="How the answer began.")
    duration_ms = serializers.IntegerField(allow_null=True)
    payload = serializers.SerializerMethodField(help_text="The body that is sent.")
    created_at = serializers.DateTimeField()

    def get_message_id(self, delivery: WebhookDelivery) -> str:
        return message.message_id(delivery.event)

    def get_next_attempt_at(self, delivery: WebhookDelivery) -> str | None:
        if delivery.state != DeliveryState.PENDING:
            return None
        return serializers.DateTimeField().to_representation(delivery.next_attempt_at)

    def get_payload(self, delivery: WebhookDelivery) -> dict[str, Any]:
        return message.document(delivery.endpoint, delivery.event)


class RotateIn(Input):
    """For how long the secret before signs beside the new one; a day if not given."""

    example: ClassVar[dict[str, Any]] = {"overlap_hours": 24}

    overlap_hours = StrictInteger(
        required=False, min_value=0, max_value=services.LONGEST_OVERLAP_HOURS
    )


class ReplayOut(serializers.Serializer):
    """How many messages are sent again."""

    example: ClassVar[dict[str, Any]] = {"count": 12}

    count = serializers.IntegerField()
