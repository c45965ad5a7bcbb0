"""The artist's page of partners and apps, and the answer to a partner's request."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import oauth_apps, partner_selectors, partner_services
from catalog.access import ArtistRequest, artist_required
from catalog.forms import add_errors
from catalog.partner_forms import GrantForm
from catalog.partner_models import GrantRequest


@artist_required
@require_safe
def partners(request: ArtistRequest) -> HttpResponse:
    """Who may work with an artist's music through the interface."""
    context = {
        "requests": partner_selectors.requests_for(request.artist),
        "grants": partner_selectors.grants_of_artist(request.artist),
        "past": partner_selectors.past_grants_of_artist(request.artist),
        "apps": oauth_apps.authorised_apps(request.user),
    }
    return render(request, "catalog/partners/partners.html", context)


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def grant_request(request: ArtistRequest, request_id: UUID) -> HttpResponse:
    """A partner's request: allow it, or a part of it, or decline."""
    asked = partner_selectors.get_request(request_id)
    if not partner_services.is_for(asked, request.artist):
        raise Http404
    form = GrantForm(asked.scopes, request.POST or None)
    if request.method == "POST" and asked.is_open and form.is_valid():
        try:
            return _answer(request, asked, form)
        except ValidationError as error:
            add_errors(form, error)
    context = {"asked": asked, "form": form}
    status = 422 if form.errors else 200
    return render(request, "catalog/partners/request.html", context, status=status)


def _answer(request: ArtistRequest, asked: GrantRequest, form: GrantForm) -> HttpResponse:
    name = asked.partner.email
    if request.POST.get("answer") == "allow":
        partner_services.accept_request(asked, request.artist, scopes=form.cleaned_data["scopes"])
        messages.success(request, f"{name} can work with your music now.")
    else:
        partner_services.decline_request(asked, request.artist)
        messages.success(request, f"{name} gets nothing.")
    return redirect("partners")


@artist_required
@require_POST
def grant_revoke(request: ArtistRequest, grant_id: UUID) -> HttpResponse:
    """Take a grant back."""
    grant = partner_selectors.get_grant_of(request.artist, grant_id)
    partner_services.revoke_grant(grant)
    messages.success(request, f"{grant.partner.email} can no longer reach your music.")
    return redirect("partners")


@artist_required
@require_POST
def app_revoke(request: ArtistRequest, app_id: int) -> HttpResponse:
    """End what an app may do in the artist's name."""
    oauth_apps.revoke_app(request.user, app_id)
    messages.success(request, "The app can no longer act in your name.")
    return redirect("partners")
