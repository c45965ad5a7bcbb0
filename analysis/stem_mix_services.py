"""Writes of named mixes: saving, changing, deleting."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from analysis.mix_models import MOST_MIXES_PER_TRACK, StemMix
from analysis.mixing.stem_mix import parse, to_document
from catalog.models import Track
from catalog.names import clean_text

_NAME_LENGTH = 60


class MixRefused(Exception):
    """A mix that is not saved; the message is for the artist."""


def save_mix(track: Track, *, name: str, settings: object) -> StemMix:
    """Save a mix of a track's stems under a name that the track does not have yet.

    Raises
    ------
    MixRefused
        For a name that is empty or taken, or where the track has as many mixes as it may.
    analysis.mixing.stem_mix.BadMix
        For settings that cannot be used.
    """
    parsed = to_document(parse(settings))
    with transaction.atomic():
        # Two saves at once count one after the other.
        Track.objects.select_for_update().get(pk=track.pk)
        if StemMix.objects.filter(track=track).count() >= MOST_MIXES_PER_TRACK:
            raise MixRefused(
                f"A track keeps up to {MOST_MIXES_PER_TRACK} mixes. Delete one that you no longer "
                "need."
            )
        mix = StemMix(track=track, artist=track.artist, name=_name(name), settings=parsed)
        return _saved(mix)


def change_mix(mix: StemMix, *, name: str | None = None, settings: object | None = None) -> StemMix:
    """Rename a mix, or set it anew, or both. Raises MixRefused, BadMix."""
    if name is not None:
        mix.name = _name(name)
    if settings is not None:
        mix.settings = to_document(parse(settings))
    return _saved(mix)


def delete_mix(mix: StemMix) -> None:
    """Remove a mix."""
    mix.delete()


def _name(text: str) -> str:
    name = clean_text(text, _NAME_LENGTH)
    if not name:
        raise MixRefused("Give the mix a name.")
    return name


def _saved(mix: StemMix) -> StemMix:
    try:
        mix.full_clean()
        with transaction.atomic():
            mix.save()
    except ValidationError as error:
        raise MixRefused(" ".join(error.messages)) from error
    except IntegrityError as error:  # somebody was quicker with the same name
        raise MixRefused("This track already has a mix of this name.") from error
    return mix
