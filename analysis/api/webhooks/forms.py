"""What people fill in to make or change a webhook. The rules live in the services."""

from __future__ import annotations

from typing import Any

from django import forms

from analysis.api.webhooks.addresses import MAX_LENGTH
from analysis.api.webhooks.kinds import CHOOSABLE, KINDS
from catalog.models import WebhookEndpoint


class EndpointForm(forms.Form):
    """Where to, what about, and what it is for."""

    url = forms.CharField(
        label="Address",
        max_length=MAX_LENGTH,
        help_text="Your server's address; it takes POST requests and answers with 200 to 299.",
        widget=forms.URLInput(
            attrs={"placeholder": "https://example.com/hooks", "autocomplete": "off"}
        ),
    )
    description = forms.CharField(
        label="What it is for",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, KINDS[name].label) for name in CHOOSABLE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )

    def __init__(self, *args: Any, endpoint: WebhookEndpoint | None = None, **kwargs: Any) -> None:
        if endpoint is not None:
            kwargs["initial"] = {
                "url": endpoint.url,
                "description": endpoint.description,
                "events": endpoint.events,
            }
        else:
            kwargs["initial"] = {"events": list(CHOOSABLE)}
        super().__init__(*args, **kwargs)


class RotateForm(forms.Form):
    """How long the old secret goes on signing beside the new one."""

    overlap = forms.TypedChoiceField(
        label="The old secret goes on signing for",
        coerce=int,
        choices=[(24, "a day"), (1, "an hour"), (168, "a week"), (0, "no longer: it has leaked")],
    )
