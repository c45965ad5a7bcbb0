"""Grants: a partner asks, an artist says yes or no, and takes it back when she likes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from catalog.models import Artist, Role, User
from catalog.names import clean_text
from catalog.partner_models import (
    GRANT_SCOPES,
    REQUEST_VALID_FOR,
    GrantRequest,
    PartnerGrant,
    Scope,
)
from catalog.signals import grant_revoked

MOST_REQUESTS_A_DAY = 50


def may_be_partner(user: User) -> bool:
    """Whether an account may ask artists for grants and register apps."""
    return user.is_active and user.role == Role.PARTNER


def ask_for_grant(
    partner: User, *, email: str, scopes: Iterable[str], note: str = ""
) -> GrantRequest:
    """A request for ``email``'s artist; without an address, one for whoever gets its link.

    Raises ValidationError, PermissionDenied. Whether the address has an account is not told.
    """
    if not may_be_partner(partner):
        raise PermissionDenied
    since = timezone.now() - timedelta(days=1)
    if partner.grants_asked.filter(created_at__gt=since).count() >= MOST_REQUESTS_A_DAY:
        raise ValidationError(f"At most {MOST_REQUESTS_A_DAY} requests a day. Go on tomorrow.")
    request = GrantRequest(
        partner=partner,
        email=email.strip().lower(),
        scopes=grant_scopes(scopes),
        note=clean_text(note, 300),
        expires_at=timezone.now() + REQUEST_VALID_FOR,
    )
    request.full_clean()
    request.save()
    return request


def mail_request(request: GrantRequest, *, link: str) -> None:
    """Send the request's link to the address it is for."""
    if not request.email:
        return
    context = {"request": request, "link": link, "site_name": settings.SITE_NAME}
    context["scopes"] = [Scope(scope).label for scope in request.scopes]
    send_mail(
        f"{settings.SITE_NAME}: {request.partner.email} asks to work with your music",
        render_to_string("catalog/partners/request_mail.txt", context),
        None,
        [request.email],
    )


def grant_scopes(scopes: Iterable[str]) -> list[str]:
    """Scopes of a grant in their order; reading is part of every one. Raises ValidationError."""
    chosen = set(scopes)
    unknown = chosen - set(GRANT_SCOPES)
    if unknown:
        raise ValidationError({"scopes": "Choose among what is offered."})
    return [scope.value for scope in GRANT_SCOPES if scope in chosen or scope == Scope.READ]


def is_for(request: GrantRequest, artist: Artist) -> bool:
    """Whether an artist may answer a request: it is for her address, or for whoever has the link;
    never for the asking account itself."""
    if request.partner_id == artist.user_id:
        return False
    return not request.email or request.email == artist.user.email.lower()


def accept_request(request: GrantRequest, artist: Artist, *, scopes: Iterable[str]) -> PartnerGrant:
    """Say yes, to what was asked or to less. Raises ValidationError, PermissionDenied."""
    chosen = grant_scopes(scopes)
    with transaction.atomic():
        held = _open(request, artist)
        beyond = set(chosen) - set(held.scopes)
        if beyond:
            raise ValidationError({"scopes": "That is more than was asked for."})
        grant = _live_grant(artist, held.partner)
        if grant is None:
            grant = PartnerGrant(artist=artist, partner=held.partner)
        grant.scopes = chosen
        grant.save()
        held.grant, held.answered_by, held.answered_at = grant, artist, timezone.now()
        held.save(update_fields=["grant", "answered_by", "answered_at"])
    return grant


def decline_request(request: GrantRequest, artist: Artist) -> None:
    """Say no. Raises ValidationError, PermissionDenied."""
    with transaction.atomic():
        held = _open(request, artist)
        held.answered_by, held.answered_at = artist, timezone.now()
        held.save(update_fields=["answered_by", "answered_at"])


def _open(request: GrantRequest, artist: Artist) -> GrantRequest:
    held = GrantRequest.objects.select_for_update().get(pk=request.pk)
    if not is_for(held, artist):
        raise PermissionDenied
    if not held.is_open:
        raise ValidationError("This request has been answered, or has run out.")
    return held


def _live_grant(artist: Artist, partner: User) -> PartnerGrant | None:
    live = PartnerGrant.objects.select_for_update().filter(revoked_at__isnull=True)
    return live.filter(artist=artist, partner=partner).first()


def revoke_grant(grant: PartnerGrant) -> None:
    """Take a grant back now; the partner's next call no longer finds anything."""
    live = PartnerGrant.objects.filter(pk=grant.pk, revoked_at=None)
    with transaction.atomic():
        if live.update(revoked_at=timezone.now()):
            grant_revoked.send(PartnerGrant, grant=grant)


def withdraw_request(request: GrantRequest) -> None:
    """A partner no longer asks."""
    GrantRequest.objects.filter(pk=request.pk, answered_at=None).update(expires_at=timezone.now())
