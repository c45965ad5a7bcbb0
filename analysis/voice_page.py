"""What the pages of a voice show: one voice, two compared, all songs in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import reverse

from analysis import presentation, selectors
from analysis.models import Job, JobState, Report, Stage
from analysis.registry.models import ModelVersion
from analysis.sound.timbre_simulation import TAGS
from analysis.stem_files import stems_report
from analysis.voice_comparison import Comparison, compare
from analysis.voice_document import Clip, Voice, tag_order, voice_of
from analysis.voice_settings import LONGEST_S, USUAL_S, Wish, steps
from analysis.voice_trend import Song, TagTrend, trends
from catalog.models import Artist, Revision, Track

MOST_PLACES = 6
LEAD_S = 0.5
"""A jump to a moment begins so much before it."""


@dataclass(frozen=True)
class Mark:
    """A clip in the strip under the waveform: place and width in per cent, how much of the tag."""

    start: float
    width: float
    clip: Clip
    probability: float
    is_heard: bool


@dataclass(frozen=True)
class Spot:
    """A moment in the strip: place and width in per cent."""

    start: float
    width: float


@dataclass(frozen=True)
class Strip:
    """One tag's row: all clips, the moments in which the tag stands out of its clip, and where to
    jump to, in seconds: where it is strongest, in the order of time."""

    tag: str
    marks: Sequence[Mark]
    moments: Sequence[Spot]
    places: Sequence[float]

    @property
    def label(self) -> str:
        return self.tag.capitalize()


def voice_page(track: Track, revision: Revision) -> dict[str, Any]:
    """Everything that the page of one voice needs beside the list of versions."""
    report = selectors.report_of(revision, Stage.VOICE)
    stems = stems_report(revision)
    voice = None if report is None else voice_of(report.document)
    context = {
        **voice_job(track, revision),
        "report": report,
        "voice": voice,
        "stems": stems,
        "doc": report.document if report else None,
        "heard_by": heard_by(report),
        "tag_names": TAGS,
    }
    if voice is None or not voice.is_singing or stems is None:
        return context
    duration_s = float(stems.document["duration_s"])
    start_s = best_stretch(voice, duration_s)
    return context | {
        "duration_s": duration_s,
        "strips": strips(voice, duration_s),
        "shown_tag": (voice.outstanding or list(voice.tags))[0].name,
        "audio_url": _file_url(revision, "vocals.flac", stems),
        "waveform_url": _file_url(revision, "waveform.json", stems),
        "start_s": start_s,
        "latest_start_s": max(0.0, duration_s - 2.0),
        "usual_s": min(USUAL_S, duration_s),
        "longest_s": LONGEST_S,
        "steps": steps(Wish({}).recipe),
        "others": others_with_voice(track.artist, revision),
    }


def heard_by(report: Report | None) -> dict[str, Any]:
    """Which ``version`` of the model a report is by, and how many ``labelled_clips`` taught it, 0
    also if the version is not known any more."""
    identity = str(report.document.get("model", "")) if report else ""
    found = ModelVersion.objects.filter(identity=identity).only("version", "manifest").first()
    if found is None:
        return {"version": identity, "labelled_clips": 0}
    settings = found.manifest.get("settings") or {}
    return {"version": found.version, "labelled_clips": int(settings.get("labelled_clips") or 0)}


def voice_job(track: Track, revision: Revision) -> dict[str, Any]:
    """What the state of the newest voice job shows; ``awaited`` is the separation it waits for."""
    job = selectors.job_of(revision, Stage.VOICE)
    awaited = None if job is None else job.waits_for
    return {
        "track": track,
        "revision": revision,
        **presentation.job_context(job),
        "awaited": awaited,
        "is_at_work": job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
        "is_owner": True,
    }


def strips(voice: Voice, duration_s: float) -> list[Strip]:
    """A row for each tag."""
    return [
        Strip(
            tag.name,
            marks=[
                Mark(
                    start=100.0 * clip.start_s / duration_s,
                    width=100.0 * (clip.end_s - clip.start_s) / duration_s,
                    clip=clip,
                    probability=clip.tags.get(tag.name, 0.0),
                    is_heard=clip in voice.clips_with(tag.name),
                )
                for clip in voice.clips
            ],
            moments=[
                Spot(
                    start=100.0 * moment.start_s / duration_s,
                    width=100.0 * (moment.end_s - moment.start_s) / duration_s,
                )
                for moment in voice.moments_of(tag.name)
            ],
            places=_places(voice, tag.name),
        )
        for tag in voice.tags
    ]


def _places(voice: Voice, tag: str) -> list[float]:
    """Beginnings of the clips in which a tag is strongest; within a clip, of its moment."""
    starts = []
    for clip in voice.clips_with(tag)[:MOST_PLACES]:
        moments = [moment for moment in clip.moments if moment.tag == tag]
        best = max(moments, key=lambda moment: moment.probability, default=None)
        starts.append(max(clip.start_s, best.start_s - LEAD_S) if best else clip.start_s)
    return sorted(starts)


def best_stretch(voice: Voice, duration_s: float, *, seconds: float = USUAL_S) -> float:
    """Where a preview of so many seconds holds most singing: the beginning of a clip."""

    def sung_s(start_s: float) -> float:
        end_s = start_s + seconds
        return sum(
            max(0.0, min(clip.end_s, end_s) - max(clip.start_s, start_s)) for clip in voice.clips
        )

    latest = max(0.0, duration_s - seconds)
    starts = [min(clip.start_s, latest) for clip in voice.clips]
    return max(starts, key=lambda start_s: (round(sung_s(start_s), 1), -start_s), default=0.0)


def _file_url(revision: Revision, name: str, stems: Report) -> str:
    url = reverse("voice_file", args=[revision.track_id, name])
    return f"{url}?revision={revision.number}&v={stems.created_at.timestamp():.0f}"


# --- Two voices -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """A version of a track whose voice has been listened to."""

    revision: Revision

    @property
    def name(self) -> str:
        return f"{self.revision.track} · v{self.revision.number}"


def others_with_voice(artist: Artist, revision: Revision) -> list[Take]:
    """Other versions of an artist's tracks that have a voice report, the same track's first."""
    heard = Report.objects.filter(stage=Stage.VOICE, content_sha256=OuterRef("content_sha256"))
    found = (
        Revision.objects.filter(Exists(heard), artist=artist)
        .exclude(pk=revision.pk)
        .select_related("track")
        .order_by("track__title", "track_id", "-number")
    )
    takes = [Take(one) for one in found]
    return sorted(takes, key=lambda take: take.revision.track_id != revision.track_id)


def comparison_context(a: Revision, b: Revision) -> dict[str, Any]:
    """Two versions compared; ``missing`` lists those without a voice that could be."""
    sides = [{"letter": letter, **_side(one)} for letter, one in (("A", a), ("B", b))]
    missing = [side for side in sides if side["voice"] is None or not side["voice"].is_singing]
    comparison: Comparison | None = None
    if not missing:
        comparison = compare(sides[0]["voice"], sides[1]["voice"])
    versions = {side["report"].model_version for side in sides if side["report"]}
    engines = {_engine(side["report"]) for side in sides if side["report"]}
    return {
        "sides": sides,
        "missing": missing,
        "comparison": comparison,
        "is_one_version": len(versions) < 2,
        "is_one_engine": len(engines) < 2,
    }


def _side(revision: Revision) -> dict[str, Any]:
    report = selectors.report_of(revision, Stage.VOICE)
    return {
        "revision": revision,
        "take": Take(revision),
        "report": report,
        "voice": None if report is None else voice_of(report.document),
    }


def _engine(report: Report) -> str:
    return str((report.document.get("stems") or {}).get("identity", ""))


# --- All songs ------------------------------------------------------------------------------------


def trend_context(artist: Artist) -> dict[str, Any]:
    """The voices of an artist's tracks (references left out), in the order of their release."""
    tracks = list(
        Track.objects.filter(artist=artist, is_reference=False)
        .select_related("album")
        .prefetch_related("revisions")
    )
    songs = sorted(_songs(tracks), key=lambda song: (song.on, song.title))
    names = tag_order(name for song in songs for name in song.probabilities)
    found: list[TagTrend] = trends(songs, names)
    return {
        "songs": songs,
        "trends": found,
        "tag_names": names,
        "unheard": len(tracks) - len(songs),
        "rows": [
            {
                "song": song,
                "cells": [(song.probabilities.get(tag), song.spreads.get(tag)) for tag in names],
            }
            for song in songs
        ],
    }


def _songs(tracks: Iterable[Track]) -> list[Song]:
    current = {
        revision.content_sha256: track
        for track in tracks
        if (revision := _newest(track)) is not None
    }
    reports: dict[str, Report] = {}
    heard = Report.objects.filter(content_sha256__in=current)
    for report in selectors.shown_reports(heard, Stage.VOICE).order_by("created_at"):
        reports[report.content_sha256] = report
    songs = []
    for content_sha256, report in reports.items():
        voice = voice_of(report.document)
        if not voice.is_singing:
            continue
        track = current[content_sha256]
        songs.append(
            Song(
                title=str(track),
                url=reverse("voice", args=[track.pk]),
                on=_released(track),
                probabilities={tag.name: tag.probability for tag in voice.tags},
                spreads={
                    tag.name: (tag.low, tag.high)
                    for tag in voice.tags
                    if tag.low is not None and tag.high is not None
                },
            )
        )
    return songs


def _newest(track: Track) -> Revision | None:
    return max(track.revisions.all(), key=lambda revision: revision.number, default=None)


def _released(track: Track) -> date:
    """When a track came out; when it was added, if that is not known."""
    album_date = track.album.release_date if track.album else None
    return track.release_date or album_date or track.created_at.date()


def last_job(revision: Revision) -> Job | None:
    """The newest voice job of a version."""
    return selectors.job_of(revision, Stage.VOICE)
