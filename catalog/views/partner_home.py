"""A partner's own pages: artists and requests, API tokens, apps."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from catalog import oauth_apps, partner_selectors, partner_services, partner_tokens
from catalog.access import UserRequest
from catalog.forms import add_errors
from catalog.partner_forms import AppForm, AskForm, TokenForm
from catalog.partner_models import GrantRequest


def partner_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For partners' accounts; anybody else gets 403."""

    @login_required
    @wraps(view)
    def checked(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not partner_services.may_be_partner(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


@partner_required
@require_http_methods(["GET", "HEAD", "POST"])
def partner_home(request: UserRequest) -> HttpResponse:
    """The artists who let a partner in, and asking others."""
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            asked = partner_services.ask_for_grant(
                request.user, email=data["email"], scopes=data["scopes"], note=data["note"]
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            partner_services.mail_request(asked, link=_link(request, asked))
            done = f"The link is on its way to {asked.email}." if asked.email else "Copy the link."
            messages.success(request, done)
            return redirect("partner_home")
    requests = list(partner_selectors.requests_of_partner(request.user))
    for asked in requests:
        asked.link = _link(request, asked)  # type: ignore[attr-defined]
    context = {
        "form": form,
        "grants": partner_selectors.grants_of_partner(request.user),
        "requests": requests,
        "tokens": [token for token in partner_selectors.tokens_of(request.user) if token.is_live],
        "usage": partner_selectors.usage_of(request.user),
    }
    status = 422 if form.errors else 200
    return render(request, "catalog/partners/home.html", context, status=status)


def _link(request: UserRequest, asked: GrantRequest) -> str:
    return request.build_absolute_uri(reverse("grant_request", args=[asked.pk]))


@partner_required
@require_POST
def request_withdraw(request: UserRequest, request_id: UUID) -> HttpResponse:
    """A partner no longer asks."""
    partner_services.withdraw_request(partner_selectors.get_request_of(request.user, request_id))
    messages.success(request, "The link no longer works.")
    return redirect("partner_home")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_tokens(request: UserRequest) -> HttpResponse:
    """An account's tokens; a new one's secret stands on the answer to its form, and only there."""
    form = TokenForm(request.POST or None)
    made = None
    if request.method == "POST" and form.is_valid():
        try:
            made = partner_tokens.create_token(
                request.user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at,
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            form = TokenForm()
    return _tokens_page(request, form, made)


def _tokens_page(
    request: UserRequest, form: TokenForm, made: partner_tokens.NewToken | None
) -> HttpResponse:
    context = {
        "form": form,
        "made": made,
        "tokens": partner_selectors.tokens_of(request.user),
        "usage": partner_selectors.usage_of(request.user),
        "base": request.build_absolute_uri("/api/v1/"),
        "overlap_days": partner_tokens.OVERLAP.days,
    }
    status = 422 if form.errors else 200
    return render(request, "catalog/partners/tokens.html", context, status=status)


@login_required
@never_cache
@require_POST
def api_token_rotate(request: UserRequest, token_id: UUID) -> HttpResponse:
    """A successor for a token, which goes on working for some days."""
    token = partner_selectors.get_token_of(request.user, token_id)
    try:
        made = partner_tokens.rotate_token(token)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("api_tokens")
    return _tokens_page(request, TokenForm(), made)


@login_required
@require_POST
def api_token_revoke(request: UserRequest, token_id: UUID) -> HttpResponse:
    """End a token now."""
    token = partner_selectors.get_token_of(request.user, token_id)
    partner_tokens.revoke_token(token)
    messages.success(request, f"“{token.name}” no longer works.")
    return redirect("api_tokens")


@partner_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def partner_apps(request: UserRequest) -> HttpResponse:
    """A partner's apps; a new one's secret stands on the answer to its form, and only there."""
    form = AppForm(request.POST or None)
    made = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = oauth_apps.register_app(
                request.user,
                name=data["name"],
                redirect_uris=data["redirect_uris"].splitlines(),
                confidential=data["confidential"],
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            form = AppForm()
    context = {"form": form, "made": made, "apps": oauth_apps.apps_of(request.user)}
    status = 422 if form.errors else 200
    return render(request, "catalog/partners/apps.html", context, status=status)


@partner_required
@require_POST
def partner_app_delete(request: UserRequest, app_id: int) -> HttpResponse:
    """Delete an app and all that artists have let it do."""
    oauth_apps.delete_app(request.user, app_id)
    messages.success(request, "The app is deleted. Its tokens no longer work.")
    return redirect("partner_apps")
