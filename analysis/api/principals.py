"""Who calls, and on whose music it may do what.

The rules are those of the pages: an artist works with her own music, superusers see everything,
whatever else does not exist. In addition a partner works with the music of artists who let it (a
live grant), within the scopes of that grant. A token's own scopes narrow all of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from analysis.api.problems import Problem
from catalog.models import Artist, Role, User
from catalog.partner_models import PartnerGrant, PartnerToken, Scope
from catalog.partner_selectors import grants_in_force
from catalog.selectors import artist_of

M = TypeVar("M", bound=Model)

ALL_SCOPES = frozenset(Scope.values)
OWN_SCOPES = frozenset({Scope.READ.value, Scope.WRITE.value, Scope.AUDIO.value})


@dataclass(frozen=True)
class Principal:
    """A caller: an account, through a page (session), a token, or an app that acts in its name."""

    user: User
    scopes: frozenset[str] = ALL_SCOPES
    token: PartnerToken | None = None
    application: str = ""

    @property
    def kind(self) -> str:
        """``token``, ``app`` or ``session``."""
        if self.token is not None:
            return "token"
        return "app" if self.application else "session"

    @property
    def key(self) -> str:
        """Whose idempotency keys these are. A rotated token keeps its account's."""
        return (
            f"app:{self.application}:{self.user.pk}" if self.application else f"user:{self.user.pk}"
        )

    @property
    def rate_key(self) -> str:
        """Whose calls are counted together."""
        return f"token:{self.token.pk}" if self.token is not None else self.key

    @property
    def sees_everything(self) -> bool:
        return self.user.is_superuser

    @cached_property
    def own_artist(self) -> Artist | None:
        """The account's own artist page, if it has one."""
        return artist_of(self.user)

    @cached_property
    def _known(self) -> dict[int, frozenset[str]]:
        """Scopes of the live grants that were looked up: artist id -> scopes, empty for none."""
        return {}

    def _grants(self) -> QuerySet[PartnerGrant]:
        """Live grants. An app acts for one artist and has none, nor has an account that is no
        longer a partner's. A partner may have thousands: they are never all fetched."""
        if self.application or self.user.role != Role.PARTNER:
            return PartnerGrant.objects.none()  # which needs no query
        return grants_in_force().filter(partner=self.user)

    def look_up(self, artist_ids: Iterable[int]) -> None:
        """Fetch the grants of several artists at once, before :meth:`scopes_on` asks for each."""
        missing = [pk for pk in artist_ids if pk not in self._known]
        if not missing:
            return  # A query for nothing costs no trip, but half a millisecond to build.
        found = self._grants().filter(artist__in=missing).values_list("artist", "scopes")
        self._known.update(dict.fromkeys(missing, frozenset()))
        self._known.update({artist: frozenset(scopes) for artist, scopes in found})

    def scopes_on(self, artist_id: int) -> frozenset[str]:
        """What may be done with an artist's music; empty for strangers."""
        if self.sees_everything or self._is_own(artist_id):
            return self.scopes & OWN_SCOPES
        self.look_up([artist_id])
        return self.scopes & self._known[artist_id]

    def _is_own(self, artist_id: int) -> bool:
        return self.own_artist is not None and self.own_artist.pk == artist_id

    def artist_ids(self) -> list[int]:
        """Artists whose music may be read (superusers: not all, only the related)."""
        if Scope.READ not in self.scopes:
            return []
        own = {self.own_artist.pk} if self.own_artist is not None else set()
        return sorted(own | set(self._read_by_grant()))

    def _read_by_grant(self) -> QuerySet[PartnerGrant, int]:
        """Ids of the artists who let their music be read."""
        return self._grants().filter(scopes__contains=[Scope.READ]).values_list("artist", flat=True)

    def visible(self, rows: QuerySet[M], *, owner: str = "artist") -> QuerySet[M]:
        """The rows that may be seen; ``owner`` is the way from a row to its artist."""
        if self.sees_everything:
            return rows
        if Scope.READ not in self.scopes:
            return rows.none()
        seen = Q(**{f"{owner}__in": self._read_by_grant()})
        if self.own_artist is not None:
            seen |= Q(**{owner: self.own_artist.pk})
        return rows.filter(seen)

    def get(
        self, rows: QuerySet[M], pk: UUID | int, *, scope: str = Scope.READ, owner: str = "artist"
    ) -> M:
        """One row on which ``scope`` is allowed.

        Raises Problem: ``not_found`` for what may not be seen, ``missing_scope`` for what may be
        seen but not used so.
        """
        found = self.visible(rows, owner=owner).filter(pk=pk).first()
        if found is None:
            raise Problem("not_found")
        artist_id: Any = found
        for part in owner.split("__"):
            artist_id = getattr(artist_id, f"{part}_id" if part == "artist" else part)
        self.require(int(getattr(artist_id, "pk", artist_id)), scope)
        return found

    def require(self, artist_id: int, scope: str) -> None:
        """Raises Problem unless ``scope`` is allowed on a visible artist's music."""
        if scope not in self.scopes_on(artist_id):
            raise Problem("missing_scope", f"This needs the scope “{scope}” from the artist.")

    def artist(self, artist_id: int | None, *, scope: str) -> Artist:
        """The artist meant: the one of that id, or the account's own. Raises Problem."""
        if artist_id is None:
            if self.own_artist is not None:
                return self.own_artist
            raise Problem(
                "invalid",
                "Say for which artist.",
                errors=[
                    {"field": "artist", "code": "required", "message": "Say for which artist."}
                ],
            )
        artist = (
            self.visible(Artist.objects.select_related("user"), owner="pk")
            .filter(pk=artist_id)
            .first()
        )
        if artist is None:
            raise Problem(
                "invalid",
                "There is no such artist, or not for you.",
                errors=[
                    {
                        "field": "artist",
                        "code": "does_not_exist",
                        "message": "There is no such artist, or not for you.",
                    }
                ],
            )
        self.require(artist.pk, scope)
        return artist
