"""Who may open a page: decorators and request types for views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from catalog import selectors, services
from catalog.models import Artist, Role, User

View = Callable[..., HttpResponseBase]


class UserRequest(HttpRequest):
    """A request of somebody who is logged in."""

    user: User
    htmx: HtmxDetails


class ArtistRequest(UserRequest):
    """A request of somebody who has an artist page."""

    artist: Artist


def artist_required(view: View) -> View:
    """The view gets ``request.artist``. Artists' and superusers' pages are made when missing;
    partners and labelling staff are asked whether they want one."""

    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        artist = find_artist(cast(User, request.user))
        if artist is None:
            return offer_artist_page(request)
        request.artist = artist  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return checked


def find_artist(user: User) -> Artist | None:
    """The account's artist page; made now for those who are bound to need one."""
    artist = selectors.artist_of(user)
    if artist is None and (user.role == Role.ARTIST or user.is_superuser):
        artist = services.ensure_artist(user)
    return artist


def offer_artist_page(request: HttpRequest) -> HttpResponse:
    """Say that this page needs an artist page, and offer to make one."""
    return render(request, "catalog/no_artist.html", status=403)
