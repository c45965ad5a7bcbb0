"""What people fill in to make mix targets. Rules live in :mod:`analysis.mix_targets`."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from analysis.mix_targets import LEAST_WEIGHT, MAX_NAME_LENGTH, MOST_WEIGHT
from analysis.target_selectors import MAX_TRACKS
from catalog.models import Album, Artist
from catalog.selectors import albums_of


class TargetNameForm(forms.Form):
    """The name of a target."""

    name = forms.CharField(
        max_length=MAX_NAME_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class CatalogueTargetForm(TargetNameForm):
    """A target of all tracks or of one album."""

    album = forms.ModelChoiceField(
        queryset=Album.objects.none(),
        required=False,
        label="Album",
        empty_label="All my tracks",
    )

    def __init__(self, artist: Artist, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["album"].queryset = albums_of(artist)  # type: ignore[attr-defined]


class FileTargetForm(forms.Form):
    """A target from a JSON file."""

    file = forms.FileField(
        label="JSON file",
        help_text="As “Mix targets” exports it, at most 64 KB.",
        widget=forms.FileInput(attrs={"accept": "application/json,.json"}),
    )
    name = forms.CharField(
        required=False,
        max_length=MAX_NAME_LENGTH,
        help_text="Left empty, the name in the file is taken.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def weights_of(posted: QueryDict) -> dict[uuid.UUID, float]:
    """The ticked tracks (``track``) and what stands beside each (``weight-<id>``; 1 if nothing).

    Raises ValidationError for what is no id or no number, and for more than can be chosen.
    """
    ids = posted.getlist("track")
    if len(ids) > MAX_TRACKS:
        raise ValidationError(f"Choose at most {MAX_TRACKS} tracks.")
    weights = {}
    for text in ids:
        try:
            track_id = uuid.UUID(text)
        except ValueError as error:
            raise ValidationError("Choose tracks of your library.") from error
        weight = posted.get(f"weight-{text}", "").strip().replace(",", ".") or "1"
        try:
            weights[track_id] = float(weight[:20])
        except ValueError as error:
            raise ValidationError(
                f"A weight is a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}."
            ) from error
    return weights
