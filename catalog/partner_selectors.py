"""Reading grants, requests, tokens and usage; what belongs to somebody else does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet, Sum
from django.http import Http404
from django.utils import timezone

from catalog.models import Artist, Role, User
from catalog.partner_models import GrantRequest, PartnerGrant, PartnerToken, UsageDay

M = TypeVar("M", bound=Model)


def _one(rows: QuerySet[M], pk: UUID) -> M:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def grants_in_force() -> QuerySet[PartnerGrant]:
    """Grants that count now: not taken back, and held by accounts that are still partners'."""
    return PartnerGrant.objects.filter(revoked_at__isnull=True, partner__role=Role.PARTNER)


def grants_of_artist(artist: Artist) -> QuerySet[PartnerGrant]:
    """What an artist lets partners do now."""
    return artist.partner_grants.filter(revoked_at__isnull=True).select_related("partner")


def past_grants_of_artist(artist: Artist, limit: int = 20) -> QuerySet[PartnerGrant]:
    """What she has taken back."""
    rows = artist.partner_grants.filter(revoked_at__isnull=False).select_related("partner")
    return rows.order_by("-revoked_at")[:limit]


def requests_for(artist: Artist) -> QuerySet[GrantRequest]:
    """Open requests for an artist's address."""
    return GrantRequest.objects.filter(
        email=artist.user.email.lower(), answered_at=None, expires_at__gt=timezone.now()
    ).select_related("partner")


def grants_of_partner(partner: User) -> QuerySet[PartnerGrant]:
    """The artists who let a partner in."""
    rows = partner.grants_received.filter(revoked_at__isnull=True).select_related("artist")
    return rows.order_by("artist__name")


def requests_of_partner(partner: User, limit: int = 30) -> QuerySet[GrantRequest]:
    """What a partner asked lately and has no yes to."""
    return partner.grants_asked.filter(grant=None).order_by("-created_at")[:limit]


def get_request(request_id: UUID) -> GrantRequest:
    """The request of a link. Raises Http404."""
    return _one(GrantRequest.objects.select_related("partner"), request_id)


def get_request_of(partner: User, request_id: UUID) -> GrantRequest:
    """A partner's own request. Raises Http404."""
    return _one(partner.grants_asked.all(), request_id)


def get_grant_of(artist: Artist, grant_id: UUID) -> PartnerGrant:
    """A grant that an artist has given. Raises Http404."""
    return _one(artist.partner_grants.select_related("partner"), grant_id)


def get_token_of(user: User, token_id: UUID) -> PartnerToken:
    """An account's own token. Raises Http404."""
    return _one(user.api_tokens.all(), token_id)


def tokens_of(user: User) -> list[PartnerToken]:
    """An account's tokens: those that work, then those that ended in the last 30 days."""
    since = timezone.now() - timedelta(days=30)
    ended = Q(revoked_at__lt=since) | Q(expires_at__lt=since)
    rows = list(user.api_tokens.exclude(ended).select_related("rotated_from"))
    return sorted(rows, key=lambda token: not token.is_live)


@dataclass(frozen=True)
class UsageBar:
    """One day of the usage chart; places in a drawing of 100 units height."""

    day: date
    calls: int
    errors: int
    bytes_out: int
    x: int
    height: float
    error_height: float

    @property
    def y(self) -> float:
        return 100.0 - self.height

    @property
    def error_y(self) -> float:
        return 100.0 - self.error_height


def usage_of(user: User, *, days: int = 30) -> list[UsageBar]:
    """The last days of an account's tokens, the oldest first, with a bar for each."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days - 1)
    rows = (
        UsageDay.objects.filter(user=user, day__gte=first)
        .values("day")
        .annotate(calls=Sum("calls"), errors=Sum("errors"), bytes_out=Sum("bytes_out"))
        .order_by()
    )
    found: dict[date, dict[str, Any]] = {row["day"]: dict(row) for row in rows}
    most = max((row["calls"] for row in found.values()), default=0) or 1
    bars = []
    for index in range(days):
        day = first + timedelta(days=index)
        row = found.get(day, {"calls": 0, "errors": 0, "bytes_out": 0})
        bars.append(
            UsageBar(
                day=day,
                calls=row["calls"],
                errors=row["errors"],
                bytes_out=row["bytes_out"],
                x=index * 10,
                height=round(100 * row["calls"] / most, 1),
                error_height=round(100 * row["errors"] / most, 1),
            )
        )
    return bars
