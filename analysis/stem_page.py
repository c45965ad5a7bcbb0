"""What the page of a track's stems shows, and the manifest that its mixer plays from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F
from django.urls import reverse

from analysis import presentation, selectors
from analysis.mix_models import MOST_MIXES_PER_TRACK, StemMix
from analysis.models import Job, JobState, Report, Stage
from analysis.neural.separation import engines
from analysis.separation_services import engine_of
from analysis.sound.encode_file import FORMATS
from analysis.stem_files import stems_reports
from analysis.stem_names import engine_label, engine_note
from catalog.models import Revision, Track

# Share of a song's length on two processor cores without a GPU (docs/separation.md), until this
# site has experience of its own.
_SHARE_OF_LENGTH = {"starter": 0.15, "htdemucs": 1.0, "htdemucs_6s": 1.0, "htdemucs_ft": 4.0}
_RECENT = 20


@dataclass(frozen=True)
class OfferedEngine:
    """An engine as the page offers it. ``estimate_s`` is how long it will work on the version;
    ``made`` says that its stems of the version are there."""

    name: str
    label: str
    note: str
    is_available: bool
    is_best: bool
    is_starter: bool
    estimate_s: float
    made: bool


def stems_page(track: Track, revision: Revision, *, engine: str = "") -> dict[str, Any]:
    """Everything that the page needs beside the list of versions.

    ``engine`` picks one of several separations; the newest is shown without it.
    """
    reports = stems_reports(revision)
    report = chosen_report(reports, engine)
    offered = offered_engines(revision, made={one.document["engine"] for one in reports})
    document = report.document if report else None
    return {
        **stems_job(track, revision),
        "report": report,
        "doc": document,
        "made_by": [
            {
                "engine": one.document["engine"],
                "label": one.document["engine_label"],
                "is_shown": one == report,
                "created_at": one.created_at,
            }
            for one in reports
        ],
        "engines": offered,
        "can_separate": any(one.is_available for one in offered),
        "is_starter": bool(document and document["is_starter"]),
        "manifest_url": _with_query(reverse("stems_manifest", args=[track.pk]), revision, document),
        "most_mixes": MOST_MIXES_PER_TRACK,
        "formats": [
            {"name": name, "label": one.label, "is_lossy": one.is_lossy}
            for name, one in FORMATS.items()
        ],
    }


def stems_job(track: Track, revision: Revision) -> dict[str, Any]:
    """What the state of the newest separation shows."""
    job = selectors.job_of(revision, Stage.SEPARATE)
    return {
        "track": track,
        "revision": revision,
        **presentation.job_context(job),
        "job_engine_label": engine_label(engine_of(job)) if job else "",
        "job_engine": engine_of(job) if job else "",
        "is_at_work": job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
        "is_owner": True,
    }


def chosen_report(reports: list[Report], engine: str) -> Report | None:
    """The separation that ``?engine=`` names, else the newest; None where there is none."""
    for report in reports:
        if report.document["engine"] == engine:
            return report
    return reports[0] if reports else None


def offered_engines(revision: Revision, *, made: set[str]) -> list[OfferedEngine]:
    """Every engine, the best first, with what it would take for a version."""
    present = engines.available()
    return [
        OfferedEngine(
            name=name,
            label=engine_label(name),
            note=engine_note(name),
            is_available=name in present,
            is_best=bool(present) and name == present[0],
            is_starter=name == engines.STARTER,
            estimate_s=_share_of_length(name) * revision.duration_s,
            made=name in made,
        )
        for name in engines.BY_QUALITY
    ]


def _share_of_length(engine: str) -> float:
    """Seconds of work per second of sound, of the last separations on this site if there are any.

    Jobs that only found what was there, and such as went on after an interruption, are left out.
    """
    done = (
        Job.objects.filter(
            stage=Stage.SEPARATE,
            state=JobState.DONE,
            options__engine=engine,
            run_seconds__gt=1.0,
            losses=0,
            revision__duration_s__gt=10.0,
        )
        .annotate(duration_s=F("revision__duration_s"))
        .order_by("-finished_at")
        .values_list("run_seconds", "duration_s")[:_RECENT]
    )
    shares = sorted(run_s / duration_s for run_s, duration_s in done)
    return shares[len(shares) // 2] if shares else _SHARE_OF_LENGTH[engine]


def manifest(track: Track, revision: Revision, report: Report) -> dict[str, Any]:
    """The report's document with every address that a player and its page need."""
    document = report.document
    base = [track.pk, report.pk]
    version = f"?v={report.created_at.timestamp():.0f}"

    def file_url(name: str) -> str:
        return reverse("stem_file", args=[*base, name]) + version

    render_url = _with_query(reverse("stems_render", args=base), revision)
    return {
        **document,
        "revision": revision.number,
        "title": str(track),
        "artist": track.artist.name,
        "stems": [
            {
                **stem,
                "chunks": [file_url(name) for name in stem["chunks"]],
                "waveform_url": file_url(stem["waveform"]),
                "download_url": _with_query(
                    reverse("stem_download", args=[*base, stem["name"]]), revision
                ),
            }
            for stem in document["stems"]
        ],
        "zip_url": _with_query(reverse("stems_zip", args=base), revision),
        "render_url": render_url,
        "render_plan_url": _with_query(reverse("stems_render_plan", args=base), revision),
        "instrumental_url": f"{render_url}&preset=instrumental&format=flac",
        "a_cappella_url": f"{render_url}&preset=a-cappella&format=flac",
        "formats": list(FORMATS),
        "mixes": [mix_entry(mix) for mix in StemMix.objects.filter(track=track)],
        "mix_save_url": reverse("stem_mixes", args=[track.pk]),
        "most_mixes": MOST_MIXES_PER_TRACK,
    }


def mix_entry(mix: StemMix) -> dict[str, Any]:
    """A named mix as the mixer's page knows it."""
    return {
        "id": str(mix.pk),
        "name": mix.name,
        "settings": mix.settings,
        "url": reverse("stem_mix", args=[mix.track_id, mix.pk]),
        "updated_at": mix.updated_at.isoformat(),
    }


def _with_query(url: str, revision: Revision, document: dict[str, Any] | None = None) -> str:
    query = {"revision": str(revision.number)}
    if document:
        query["engine"] = document["engine"]
    return f"{url}?{urlencode(query)}"
