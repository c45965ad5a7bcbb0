"""From reports and jobs to what the templates show."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from analysis import mix_targets, selectors, target_selectors
from analysis.explanation_panels import panels, stem_table
from analysis.jobs import position_and_wait
from analysis.mix_targets import ChosenTarget
from analysis.mixing import ANY_GENRE, load_targets, rejudge
from analysis.models import Job, JobState, Report
from analysis.neural.verdict import UNDECIDED_BELOW
from analysis.neural.weights import WeightsUnavailable, find
from analysis.pictures import HEAT_FILES, mel_ticks
from analysis.sound.stem_evidence import StemEvidence
from analysis.stem_files import stems_report
from catalog.models import Artist, Revision, ShareLink

log = logging.getLogger(__name__)

# What the listening stage leaves in the storage for its page, with the type it is served as.
DERIVED_FILES = {
    "spectrogram.png": "image/png",
    **dict.fromkeys(HEAT_FILES, "image/png"),
    "waveform.json": "application/json",
}


def job_context(job: Job | None) -> dict[str, Any]:
    """A job with its place in the queue and expected wait."""
    place: int | None = None
    wait_s: float | None = None
    if job is not None and job.state == JobState.QUEUED:
        place, wait_s = position_and_wait(job)
    return {
        "job": job,
        "queue_position": place,
        "estimated_s": wait_s,
    }


def shared_files(link: ShareLink) -> set[str]:
    """Derived files that a share link lets its visitors have."""
    files = {"waveform.json"} if link.show_audio else set()
    if link.show_genre:
        files |= {"spectrogram.png", *HEAT_FILES}
    return files


def report_context(
    revision: Revision,
    *,
    target: str = "",
    asker: Artist | None = None,
    share: ShareLink | None = None,
) -> dict[str, Any]:
    """Everything that the report's sections need.

    ``target`` is what to judge the mix against, a genre or a target of the artist's own; unknown
    or empty means the artist's default, or else the predicted genre. Of a shared report only the
    chosen parts are passed on, and no target of the artist's own is. ``is_older_mix`` says that
    the report cannot be judged anew: its mix then stays as it was judged.
    """
    report = selectors.report_of(revision)
    context: dict[str, Any] = {
        "revision": revision,
        "report": report,
        **job_context(selectors.job_of(revision)),
    }
    if report is None:
        return context
    artist = revision.artist
    is_older_mix = not can_be_rejudged(report.document)
    chosen = None if is_older_mix else mix_targets.chosen(artist, target, with_own=share is None)
    stems = stems_report(revision)
    evidence = None if is_older_mix or stems is None else stem_evidence_of(stems)
    document = _with_genre_by_stem(_judged(report.document, chosen, evidence), stems)
    if share is not None:
        document = _shared_part(document, share)
    files = {
        name: _file_url(revision, name, share)
        for name in DERIVED_FILES
        if share is None or name in shared_files(share)
    }
    similar = (
        selectors.similar_tracks(report, asker=asker, exclude=revision.track)
        if share is None
        else []
    )
    return context | {
        "doc": document,
        "is_older_mix": is_older_mix,
        "spectrogram_url": files.get("spectrogram.png"),
        "undecided_below": UNDECIDED_BELOW,
        **_explanations(document, revision, files),
        "waveform_url": files.get("waveform.json"),
        "audio_url": _audio_url(revision, share),
        "mel_ticks": mel_ticks(),
        **_target_context(document, chosen),
        "target_choices": [(name, target_name(name)) for name in load_targets().genres],
        "own_target_choices": target_selectors.target_choices(artist) if share is None else [],
        "accuracy_note": accuracy_note(),
        "calibration_error_points": calibration_error_points(),
        "similar": [
            {
                "track": hit.track,
                "artist_name": hit.artist_name,
                "percentile": hit.percentile,
                "reasons": hit.reasons,
                "report": hit.report,
                "audio_url": reverse("revision_audio", args=[hit.revision.pk]),
                "url": hit.track.get_absolute_url() if hit.is_own else None,
            }
            for hit in similar
        ],
    }


def target_name(genre: str) -> str:
    """A target for people: ``any`` is all genres together."""
    return "all genres" if genre == ANY_GENRE else genre


def _ears_figures() -> dict[str, Any]:
    """What was measured of the genre model; empty while its weights are missing or damaged.

    A report is shown all the same, and ``/readyz`` says what is wrong.
    """
    try:
        return find("ears").figures
    except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
        log.warning("no figures of the genre model: %s", error)
        return {}


def calibration_error_points() -> int | None:
    """By how many points the genre model's percentages are off on average; None if not known."""
    error = _ears_figures().get("ece_15_bins_cross_fitted")
    return None if error is None else round(100 * error)


def accuracy_note() -> str:
    """An honest line on how often the genre model is right; empty if that is not known."""
    figures = _ears_figures()
    if not {"accuracy", "tracks"} <= figures.keys():
        return ""
    return (
        "Loudness, peaks and balance are measurements. Genre, mood and similarity are estimates: "
        f"on {figures['tracks']['validation']} tracks by artists it had never heard, the genre "
        f"model was right {round(100 * figures['accuracy'])} times in 100. Trust your ears first."
    )


def _explanations(
    document: dict[str, Any], revision: Revision, files: dict[str, str]
) -> dict[str, Any]:
    """The panels and the stems' table of a document that has a genre."""
    genre = document.get("genre")
    if genre is None:
        return {"explanations": [], "stems": None}
    duration_s = document.get("file", {}).get("duration_s") or revision.duration_s
    return {
        "explanations": panels(genre, duration_s=duration_s, files=files),
        "stems": stem_table(genre),
    }


def document_for(report: Report, revision: Revision, target: str) -> dict[str, Any]:
    """The document as its artist sees it, judged against what ``?target=`` names (see
    :func:`analysis.mix_targets.chosen`); one that cannot be judged anew stays as it is."""
    if not can_be_rejudged(report.document):
        return report.document
    chosen = mix_targets.chosen(revision.artist, target)
    stems = stems_report(revision)
    return _judged(report.document, chosen, None if stems is None else stem_evidence_of(stems))


def stem_evidence_of(stems: Report) -> StemEvidence | None:
    """What a separation tells about its mix; None if it was not measured."""
    found = stems.document.get("mix")
    return None if found is None else StemEvidence.from_document(found)


def _with_genre_by_stem(document: dict[str, Any], stems: Report | None) -> dict[str, Any]:
    """The document with what its stems are worth to the genre, where the same version of the ears
    judged both, and the report has nothing of the kind itself."""
    found = None if stems is None else stems.document.get("genre")
    if not found or found["ears"] != document["models"].get("ears"):
        return document
    genre = document["genre"]
    if genre.get("stems"):
        return document
    return {**document, "genre": {**genre, "stems": found}}


def can_be_rejudged(document: Mapping[str, Any]) -> bool:
    """Whether a report holds the third octaves that tones are judged by. Reports from before
    version 3 of the measurements do not: judged anew, all that was said of their tones would go."""
    curve = (document.get("mix") or {}).get("curve") or {}
    return len(curve.get("measured_db") or ()) >= load_targets().tonal.frequencies_hz.size


def _judged(
    document: dict[str, Any], chosen: ChosenTarget | None, stems: StemEvidence | None
) -> dict[str, Any]:
    """The document, its mix part judged against another target where one is chosen, and with the
    stems where there are any."""
    if stems is None and (chosen is None or _is_judged_against(document, chosen)):
        return document
    target = document["mix"]["genre"] if chosen is None else chosen.target
    mix = rejudge(document, genre=target, targets=load_targets(), stems=stems)
    return {**document, "mix": mix}


def _is_judged_against(document: dict[str, Any], chosen: ChosenTarget) -> bool:
    return not chosen.target.is_own and document["mix"]["genre"] == chosen.target.genre


def _target_context(document: dict[str, Any], chosen: ChosenTarget | None) -> dict[str, Any]:
    """What the mix is judged against: ``target`` as addresses name it, ``target_name`` for people,
    and ``own_target`` where it is the artist's own."""
    if "mix" not in document:
        return {"target": "", "target_name": "", "own_target": None}
    genre = document["mix"]["genre"]
    if chosen is not None and chosen.target.is_own:
        return {
            "target": chosen.value,
            "target_name": f"“{genre}”",
            "own_target": chosen.target,
        }
    return {"target": genre, "target_name": target_name(genre), "own_target": None}


def _shared_part(document: dict[str, Any], link: ShareLink) -> dict[str, Any]:
    keys = {"file", "models"}
    if link.show_genre:
        keys |= {"genre"}
    if link.show_features:
        keys |= {"features", "feature_percentiles", "feature_reference", "tempo", "key"}
    if link.show_mix:
        keys |= {"loudness", "stereo", "spectrum", "mix"}
    return {key: value for key, value in document.items() if key in keys}


def _file_url(revision: Revision, name: str, share: ShareLink | None) -> str:
    if share is not None:
        return reverse("shared_file", args=[share.token, name])
    return reverse("derived_file", args=[revision.pk, name])


def _audio_url(revision: Revision, share: ShareLink | None) -> str | None:
    url = reverse("revision_audio", args=[revision.pk])
    if share is None:
        return url
    return f"{url}?share={share.token}" if share.show_audio else None
