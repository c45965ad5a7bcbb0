"""Documents, browsers and targets for the tests of mix targets."""

from __future__ import annotations

import copy

from django.test import Client

from analysis import mix_targets
from analysis.models import MixTarget
from catalog.models import Artist, Track

POINT = 12
"""A third octave in the middle of the curve."""


def bumped(document: dict, bump_db: float) -> dict:
    changed = copy.deepcopy(document)
    changed["mix"]["curve"]["measured_db"][POINT] += bump_db
    return changed


def older(document: dict, *, findings: list[dict]) -> dict:
    """A report as version 2 of the measurements wrote it: no curve, nothing by band or of hum."""
    made = copy.deepcopy(document)
    for key in ("dynamics", "hum"):
        del made[key]
    for part, keys in {
        "mix": ("curve", "stems_db"),
        "stereo": ("bands", "low_end"),
        "spectrum": ("codec_cutoff_hz", "resonances", "band_course"),
    }.items():
        for key in keys:
            del made[part][key]
    made["mix"]["findings"] = findings
    made["models"]["measurements"] = "2"
    return made


def logged_in(artist: Artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def of_tracks(artist: Artist, *tracks: Track, name: str = "Night", weight: float = 1.0):
    weights = dict.fromkeys((track.pk for track in tracks), weight)
    return mix_targets.create_of_tracks(artist, name=name, weights=weights)


def bump_of(target: MixTarget, heard) -> float:
    """By how many dB the target's middle stands out at the bumped point from the song's curve."""
    median = mix_targets.current(target).curve.median_db
    curve = heard.document["mix"]["curve"]["measured_db"]
    difference = [a - b for a, b in zip(median, curve, strict=False)]
    return difference[POINT] - difference[POINT - 5]
