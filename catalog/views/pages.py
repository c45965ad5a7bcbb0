"""The front page, the artist's profile and the end of an account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import selectors, services
from catalog.access import ArtistRequest, UserRequest, artist_required
from catalog.forms import DeleteAccountForm, ProfileForm, add_errors
from catalog.library import track_counts
from catalog.models import Artist, User
from catalog.pictures import PictureRefused


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The landing page for strangers, the library for everybody else."""
    if request.user.is_authenticated:
        return redirect(cast(User, request.user).landing_page)
    return render(request, "home.html")


@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: ArtistRequest) -> HttpResponse:
    """The artist page and its settings."""
    # The form writes into its instance while it is checked; the page keeps showing what is saved.
    instance = Artist.objects.get(pk=request.artist.pk)
    form = ProfileForm(request.POST or None, request.FILES or None, instance=instance)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            services.update_profile(
                request.artist,
                name=data["name"],
                bio=data["bio"],
                default_genre=data["default_genre"],
                auto_separate=data["auto_separate"],
                auto_voice=data["auto_voice"],
                auto_lyrics=data["auto_lyrics"],
                picture=data["new_picture"],
                remove_picture=data.get("remove_picture", False),
            )
        except PictureRefused as refusal:
            form.add_error("new_picture", str(refusal))
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, "Your profile is saved.")
            return redirect("profile")
    context = {
        "form": form,
        "artist": request.artist,
        "counts": track_counts(request.artist),
        "used_bytes": selectors.used_bytes(request.artist),
        "quota_bytes": selectors.quota_bytes(request.artist),
        "consent": selectors.consent_of(request.artist),
    }
    return render(request, "catalog/profile.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def artist_create(request: UserRequest) -> HttpResponse:
    """Make an artist page for an account that has none."""
    services.ensure_artist(request.user)
    return redirect("profile")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: UserRequest) -> HttpResponse:
    """Delete the account with everything it owns, after the password was given once more."""
    form = DeleteAccountForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = User.objects.get(pk=request.user.pk)
        logout(request)
        services.delete_account(user)
        messages.success(request, "Your account and everything in it has been deleted.")
        return redirect("home")
    artist = selectors.artist_of(request.user)
    context = {
        "form": form,
        "counts": track_counts(artist) if artist else None,
        "used_bytes": selectors.used_bytes(artist) if artist else 0,
    }
    return render(
        cast(HttpRequest, request),
        "catalog/account_delete.html",
        context,
        status=422 if form.errors else 200,
    )
