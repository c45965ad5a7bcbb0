"""Forms of the partners' pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from catalog.partner_models import GRANT_SCOPES, Scope

_LIFETIMES = {"30": "30 days", "90": "90 days", "365": "One year", "never": "No end"}


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(max_length=80, help_text="Where it will be used: “Upload server”.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime = forms.ChoiceField(
        label="Ends after", choices=list(_LIFETIMES.items()), initial="365"
    )

    @property
    def expires_at(self) -> datetime | None:
        """When the token ends; None: not by itself."""
        days = self.cleaned_data["lifetime"]
        return None if days == "never" else timezone.now() + timedelta(days=int(days))


class AskForm(forms.Form):
    """A partner asks an artist."""

    email = forms.EmailField(
        label="Artist's e-mail address",
        required=False,
        help_text="She gets the link by mail. Leave it empty for a link that you send yourself.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What you ask for",
        choices=[(scope.value, scope.label) for scope in GRANT_SCOPES],
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    note = forms.CharField(
        label="What it is wanted for", max_length=300, required=False, help_text="She reads this."
    )


class GrantForm(forms.Form):
    """An artist's answer: what was asked, or less."""

    scopes = forms.MultipleChoiceField(
        label="What they may do", widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, asked: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(scope.value, scope.label) for scope in GRANT_SCOPES if scope in asked]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]
        self.fields["scopes"].initial = asked


class AppForm(forms.Form):
    """A new OAuth app."""

    name = forms.CharField(max_length=120, help_text="Artists see this name.")
    redirect_uris = forms.CharField(
        label="Where artists are sent back to",
        max_length=2_000,
        help_text="One https address a line, exactly as the app will name it.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    confidential = forms.BooleanField(
        label="It runs on a server and can keep a secret",
        required=False,
        initial=True,
        help_text="Without a tick: an app on artists' own devices, which gets no secret.",
    )
