"""Pages of dry takes: an artist's own with her clips, and staff's of singers without an account."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from analysis.labels import pool_selectors, takes
from analysis.labels.access import staff_required
from analysis.labels.models import VocalTake
from catalog import selectors as catalog_selectors
from catalog.access import ArtistRequest, artist_required
from catalog.form_uploads import SpoolingUploadHandler
from catalog.forms import add_errors
from catalog.models import User
from catalog.probing import FileRefused
from sonicsite.limits import TokenBuckets, asked_too_often

# Per account and web process: a dozen takes, then one in ten seconds.
_UPLOADS = TokenBuckets(rate=0.1, burst=12)
_CLIPS_A_PAGE = 60
_ACCEPT = "audio/*,.wav,.flac,.aif,.aiff,.mp3,.m4a,.ogg,.opus"


def _file_field() -> forms.FileField:
    return forms.FileField(
        label="Recording",
        help_text=f"One voice, dry and alone, at most {takes.LONGEST_S / 60:.0f} minutes and "
        f"{takes.MOST_BYTES // (1024 * 1024)} MB.",
        widget=forms.FileInput(attrs={"accept": _ACCEPT}),
        max_length=1_000,
    )


class OwnTakeForm(forms.Form):
    """A recording of one's own voice."""

    file = _file_field()
    own_voice = forms.BooleanField(
        label="This is my own voice, and I allow training on this recording",
        help_text="You can take it back by deleting the recording here.",
    )


class SingerTakeForm(forms.Form):
    """A recording of somebody without an account."""

    file = _file_field()
    singer = forms.CharField(
        max_length=200, label="Singer", help_text="Clips of one singer stay together."
    )
    source = forms.CharField(
        max_length=300,
        label="Where the consent is written",
        help_text="So that it can be found again: a contract’s number, a letter’s place.",
    )


@csrf_exempt  # so that the upload handler is in place before the token is read from the body
@artist_required
@require_http_methods(["GET", "HEAD", "POST"])
def training_clips(request: ArtistRequest) -> HttpResponseBase:
    """An artist's clips in the pool, to be heard, and her dry takes."""
    handler = _in_place(request, takes.room_for(request.artist).size_bytes)
    return _own_page(request, handler)


@csrf_protect
def _own_page(request: ArtistRequest, handler: SpoolingUploadHandler) -> HttpResponse:
    form = OwnTakeForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        taken = _taken(
            request,
            form,
            handler,
            lambda path, name, data: takes.add_take_of_artist(
                request.artist, path, original_name=name, by=request.user
            ),
        )
        if taken is not None:
            messages.success(
                request, f"{taken.original_name} is here. Its clips appear in a little while."
            )
            return redirect("training_clips")
    clips = pool_selectors.clips_of(request.artist)
    page = Paginator(clips, _CLIPS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "artist": request.artist,
        "consent": catalog_selectors.consent_of(request.artist),
        "clips": page.object_list,
        "page_obj": page,
        "total": page.paginator.count,
        "takes": pool_selectors.takes_of(request.artist),
    }
    return render(request, "labels/my_clips.html", context, status=422 if form.errors else 200)


@csrf_exempt  # as above
@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def vocal_takes(request: HttpRequest) -> HttpResponseBase:
    """Takes of singers without an account, whose consent staff have in writing."""
    return _staff_page(request, _in_place(request, takes.MOST_BYTES))


@csrf_protect
def _staff_page(request: HttpRequest, handler: SpoolingUploadHandler) -> HttpResponse:
    form = SingerTakeForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        taken = _taken(
            request,
            form,
            handler,
            lambda path, name, data: takes.add_take_of_singer(
                path,
                original_name=name,
                singer=data["singer"],
                source=data["source"],
                by=cast(User, request.user),
            ),
        )
        if taken is not None:
            messages.success(
                request, f"{taken.original_name} is here. Its clips appear in a little while."
            )
            return redirect("vocal_takes")
    found = Paginator(pool_selectors.takes_of(None), _CLIPS_A_PAGE)
    page = found.get_page(request.GET.get("page"))
    context = {"form": form, "takes": page.object_list, "page_obj": page}
    return render(request, "labels/takes.html", context, status=422 if form.errors else 200)


@artist_required
@require_POST
def own_take_delete(request: ArtistRequest, take_id: uuid.UUID) -> HttpResponse:
    """Delete a take of one's own with its clips."""
    take = get_object_or_404(VocalTake, pk=take_id, artist=request.artist)
    takes.delete_take(take)
    messages.success(request, f"{take.original_name} is deleted, with its clips.")
    return redirect("training_clips")


@staff_required
@require_POST
def vocal_take_delete(request: HttpRequest, take_id: uuid.UUID) -> HttpResponse:
    """Delete a take of a singer without an account, with its clips."""
    take = get_object_or_404(VocalTake, pk=take_id, artist=None)
    takes.delete_take(take)
    messages.success(request, f"{take.original_name} is deleted, with its clips.")
    return redirect("vocal_takes")


def _in_place(request: HttpRequest, room_bytes: int) -> SpoolingUploadHandler:
    handler = SpoolingUploadHandler(request, room_bytes=min(room_bytes, takes.MOST_BYTES))
    if request.method == "POST":
        request.upload_handlers = [handler]
    return handler


def _taken(
    request: HttpRequest, form: forms.Form, handler: SpoolingUploadHandler, add: Any
) -> VocalTake | None:
    """The take that the form's file became; None with the refusal shown in the form."""
    if handler.too_large or handler.without_room:
        form.add_error("file", "The file is too large, or your storage has no room for it.")
    if not form.is_valid():
        return None
    wait_s = _UPLOADS.wait_s(str(request.user.pk))
    if wait_s > 0.0:
        form.add_error(None, asked_too_often(wait_s))
        return None
    file = cast(TemporaryUploadedFile, form.cleaned_data["file"])
    file.flush()
    try:
        return add(Path(file.temporary_file_path()), file.name or "", form.cleaned_data)
    except FileRefused as refusal:
        form.add_error("file", refusal.message)
    except ValidationError as error:
        add_errors(form, error)
    return None
