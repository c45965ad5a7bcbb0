"""Voices whose tags are known, a song, and an admin, made inside a running site for the whole loop
from labels to a model that serves (see :mod:`tests.label_loop`)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from tests import labelling_seed
from tests.labelling_seed import PREDICTED, cookie_of
from tests.stack import Stack

TAGS = ("warm", "breathy", "rough", "thin")
NEW_TAG = "thin"
SONG_S = 16.0

Mono = npt.NDArray[np.float32]


def seed_in(site: Stack, **wishes: Any) -> dict[str, Any]:
    """Run :func:`seed` in a site; returns ``truth`` (by clip: tag to bool), ``keys`` (by tag),
    ``track``, ``admin`` and ``cookies``."""
    return labelling_seed.seed_in(site, module=__name__, **wishes)


def clear_in(site: Stack, made: dict[str, Any]) -> None:
    """Take the clips, the song and the new tag out of the site again."""
    code = f"from tests.label_loop_seed import clear; clear({made['track']!r})"
    site.manage("shell", "--no-imports", "-c", code)


def seed(*, learn: int, held_out: int, each: int, are_real: bool = False) -> None:
    """``each`` clips of every singer to learn from and of every one that is held out, half of them
    with each tag; printed as JSON. ``are_real`` takes them from ../shared/data."""
    from analysis.labels import label_settings
    from analysis.labels.clip_files import store_clip
    from analysis.labels.models import LabelSettings, TimbreTag
    from tests.analysis.registry.known_voices import changed
    from tests.factories import UserFactory

    label_settings.current()
    LabelSettings.objects.update(gold_share=0.0, overlap_share=0.0)
    TimbreTag.objects.get_or_create(
        slug=NEW_TAG, defaults={"name": "Thin", "key": "t", "order": 99}
    )
    mark = uuid.uuid4().hex[:6]
    truth = {}
    for singer in range(learn + held_out):
        sounds = _recorded(singer, each) if are_real else _made(singer, each)
        rng = np.random.default_rng(singer)
        # Half of every singer's clips have the tag, whichever they are.
        yes = {tag: rng.permutation(each) < each // 2 for tag in TAGS}
        for number, sound in enumerate(sounds):
            of_clip = {tag: bool(yes[tag][number]) for tag in TAGS}
            clip = store_clip(
                changed(sound, of_clip, rng),
                key=f"{mark} {singer} {number}",
                singer=f"loop-{singer}",
                is_held_out=singer >= learn,
                predicted=PREDICTED,
            )
            truth[str(clip.pk)] = of_clip
    admin = UserFactory(email=f"loop-{mark}@example.com", is_staff=True)
    track = _song(admin)
    live = TimbreTag.objects.filter(retired_at__isnull=True)
    print(  # noqa: T201 - the answer to the caller, in another process
        json.dumps(
            {
                "truth": truth,
                "keys": dict(live.values_list("slug", "key")),
                "track": str(track),
                "admin": admin.pk,
                "cookies": [cookie_of(admin)],
            }
        )
    )


def clear(track_id: str) -> None:
    """What :func:`seed` made, gone; versions of the model stay, as they do on a real site."""
    from analysis.labels.models import TimbreTag, VoiceClip
    from catalog.models import Track

    VoiceClip.objects.filter(singer__startswith="loop-").delete()
    Track.objects.filter(pk=track_id).delete()
    TimbreTag.objects.filter(slug=NEW_TAG).delete()


def _made(singer: int, count: int) -> list[Mono]:
    from tests.analysis.registry.labelled_voices import voice

    return [voice(1_000 * (singer + 1) + number) for number in range(count)]


def _recorded(singer: int, count: int) -> list[Mono]:
    from analysis.sound.voice.clips import cut
    from analysis.sound.voice.recording import read_mono
    from tests.analysis.registry.known_voices import recordings

    by_singer = list(recordings(singers=singer + 1).values())
    sounds: list[Mono] = []
    for path in by_singer[singer]:
        sound, rate = read_mono(path)
        sounds += [clip.samples for clip in cut(sound, rate, most=count - len(sounds)).kept]
        if len(sounds) == count:
            break
    return sounds


def _song(owner: Any) -> uuid.UUID:
    """A track of ``owner`` with stems, whose singing is thin and nothing else; nobody has listened
    to its voice."""
    from analysis.sound.voice.measures import RATE_HZ
    from tests import voices
    from tests.analysis.registry.known_voices import changed
    from tests.analysis.registry.labelled_voices import voice
    from tests.factories import ArtistFactory, RevisionFactory, TrackFactory

    artist = ArtistFactory(user=owner, name="The Loop")
    revision = RevisionFactory(track=TrackFactory(artist=artist, title="From label to model"))
    true = {tag: tag == NEW_TAG for tag in TAGS}
    sung = changed(voice(77, SONG_S), true, np.random.default_rng(2))
    mono = signal.resample_poly(sung, voices.RATE, RATE_HZ).astype(np.float32)
    stereo = np.stack([mono, 0.9 * mono])
    voices.stems_report(revision, {"vocals": stereo, "other": 0.05 * stereo[:, ::-1]})
    pk: uuid.UUID = revision.track_id
    return pk
