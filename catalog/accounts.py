"""How allauth makes accounts here."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from catalog import services
from catalog.models import Role, User


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up, log-in and mail as allauth does them, with this site's model of a user."""

    def clean_email(self, email: str) -> str:
        """Addresses are kept in lower case, so that one mailbox has one account."""
        return super().clean_email(email).lower()

    def save_user(
        self, request: HttpRequest, user: User, form: forms.BaseForm, commit: bool = True
    ) -> Any:
        form.cleaned_data["email"] = form.cleaned_data.get("email", "").lower()
        return super().save_user(request, user, form, commit)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Partners begin at their artists, everybody else in the library."""
        return reverse(cast(User, request.user).landing_page)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mail speaks in the product's name; without this it would sign with the host's."""
        site = {"name": settings.SITE_NAME, "domain": settings.SITE_NAME}
        super().send_mail(template_prefix, email, {"current_site": site, **context})


class ArtistSignupForm(forms.Form):
    """What sign-up asks for beside e-mail and password."""

    artist_name = forms.CharField(
        required=False,
        max_length=200,
        label="Artist name",
        help_text="How your music is signed. You can change it later.",
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth once the user is saved."""
        if user.role == Role.ARTIST:
            services.ensure_artist(user, name=self.cleaned_data.get("artist_name", ""))
