"""A mix of stems, rendered on the server: what it will be, and the file.

Both addresses take

* what is mixed: ``settings`` (the mixer's JSON), or ``mix`` (the id of a saved mix), or ``preset``
  (``instrumental`` or ``a-cappella``); all stems as they are without any,
* ``format``: ``wav`` (the default), ``flac``, ``mp3`` or ``opus``,
* ``peaks``: ``lower`` (the default) lowers the whole mix where its true peak passes the format's
  ceiling; ``keep`` lowers it only where samples would be clipped.

Nothing is ever clipped, and the plan says by how much the mix will be lowered.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from analysis import services, work_folders
from analysis.mix_models import StemMix
from analysis.mixing.stem_mix import (
    A_CAPPELLA,
    INSTRUMENTAL,
    BadMix,
    MixSettings,
    parse,
    to_document,
)
from analysis.models import Report
from analysis.render_slots import HeldStream, render_slot
from analysis.sound import wav
from analysis.sound.encode_file import FORMATS, FileFormat, Texts, encode_file, wav_header
from analysis.stem_downloads import (
    REFUSALS,
    account,
    asked_report,
    base_name,
    download,
    judge_length,
    refused_json,
    refused_page,
    take_turn,
)
from analysis.stem_files import local_file
from analysis.stem_render import (
    MixPeaks,
    StemSources,
    description,
    measure_mix,
    mix_blocks,
)
from catalog.models import Revision

PRESETS = {"instrumental": INSTRUMENTAL, "a-cappella": A_CAPPELLA}
MOST_SETTINGS_CHARACTERS = 4_000
_PEAKS_KEPT_S = 24 * 3_600
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class _Wish:
    """What an address asks for; ``label`` stands in the file's name."""

    settings: MixSettings
    label: str
    format_name: str
    keep_level: bool

    @property
    def format(self) -> FileFormat:
        return FORMATS[self.format_name]


@login_required
@require_GET
def stems_render_plan(
    request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID
) -> JsonResponse:
    """What the render will be before it is fetched: its peaks, and by how much it is lowered."""
    revision, report = asked_report(request, track_id, report_id)
    try:
        wish = _wish(request.GET, revision)
        judge_length(report, is_lossy=wish.format.is_lossy)
        with ExitStack() as held:
            held.enter_context(render_slot(account(request)))
            peaks = _known_peaks(report, wish.settings)
            if peaks is None:
                take_turn(request)
                peaks = _measured_peaks(report, wish.settings, _sources(report, held))
    except FileNotFoundError as error:
        raise Http404 from error
    except REFUSALS as error:
        return refused_json(error)
    lowered_db = peaks.lowered_db(wish.format.ceiling_dbtp, keep_level=wish.keep_level)
    return JsonResponse(
        {
            "true_peak_dbtp": peaks.true_peak_dbtp,
            "sample_peak_dbfs": peaks.sample_peak_dbfs,
            "ceiling_dbtp": wish.format.ceiling_dbtp,
            "lowered_db": round(lowered_db, 2) + 0.0,
            "duration_s": report.document["duration_s"],
            "is_silent": peaks.sample_peak == 0.0,
        }
    )


@login_required
@require_GET
def stems_render(
    request: HttpRequest, track_id: uuid.UUID, report_id: uuid.UUID
) -> HttpResponseBase:
    """The mix as a file. A WAV is sent as it is made, the others when they are finished."""
    revision, report = asked_report(request, track_id, report_id)
    try:
        wish = _wish(request.GET, revision)
        judge_length(report, is_lossy=wish.format.is_lossy)
        take_turn(request)
        # What is held until the last byte is sent: the turn, and the files.
        with ExitStack() as held:
            held.enter_context(render_slot(account(request)))
            return _rendered(revision, report, wish, held)
    except FileNotFoundError as error:
        raise Http404 from error
    except REFUSALS as error:
        return refused_page(request, revision, error)


def _rendered(
    revision: Revision, report: Report, wish: _Wish, held: ExitStack
) -> StreamingHttpResponse:
    """The response; it takes over what ``held`` holds."""
    sources = _sources(report, held)
    peaks = _known_peaks(report, wish.settings)
    if peaks is None:
        peaks = _measured_peaks(report, wish.settings, sources)
    lowered_db = peaks.lowered_db(wish.format.ceiling_dbtp, keep_level=wish.keep_level)
    names = list(sources.paths)
    texts = Texts(
        title=f"{revision.track} ({wish.label})",
        artist=revision.artist.name,
        comment=f"Stems by {report.document['engine']}: "
        + description(wish.settings, names, lowered_db),
    )
    blocks = mix_blocks(sources, wish.settings, change_db=lowered_db)
    if wish.format_name == "wav":
        pieces, length = _wav_pieces(blocks, sources, texts)
    else:
        file, length = _encoded(blocks, sources, wish, texts, held)
        pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
    response = StreamingHttpResponse(
        HeldStream(pieces, held.pop_all()), content_type=wish.format.content_type
    )
    response["Content-Length"] = str(length)
    name = f"{base_name(revision)} ({wish.label}) [{report.document['engine']}]"
    return download(response, f"{name}.{wish.format.ending}")


def _wav_pieces(
    blocks: Iterator[npt.NDArray[np.float64]], sources: StemSources, texts: Texts
) -> tuple[Iterator[bytes], int]:
    header = wav_header(sample_rate=sources.sample_rate, n_samples=sources.n_samples, texts=texts)
    padding = wav.padding(channels=2, n_samples=sources.n_samples)
    length = len(header) + sources.n_samples * 2 * wav.BYTES_PER_SAMPLE + len(padding)
    sound = (wav.samples(block) for block in blocks)
    return itertools.chain([header], sound, [padding]), length


def _encoded(
    blocks: Iterator[npt.NDArray[np.float64]],
    sources: StemSources,
    wish: _Wish,
    texts: Texts,
    held: ExitStack,
) -> tuple[BinaryIO, int]:
    """The finished file, open, and its length; it is gone from the disk when it is closed."""
    with work_folders.scratch_folder() as folder:
        path = folder / f"mix.{wish.format.ending}"
        encode_file(
            path,
            blocks,
            name=wish.format_name,
            sample_rate=sources.sample_rate,
            n_samples=sources.n_samples,
            texts=texts,
        )
        file = held.enter_context(path.open("rb"))
        return file, path.stat().st_size


def _wish(query: QueryDict, revision: Revision) -> _Wish:
    """Raises BadMix, Http404 for a mix that the track does not have."""
    format_name = query.get("format", "wav")
    if format_name not in FORMATS:
        raise BadMix(f"the format must be one of {', '.join(FORMATS)}")
    settings, label = _asked_mix(query, revision)
    return _Wish(settings, label, format_name, keep_level=query.get("peaks") == "keep")


def _asked_mix(query: QueryDict, revision: Revision) -> tuple[MixSettings, str]:
    if query.get("mix"):
        try:
            mix_id = uuid.UUID(query.get("mix"))
        except ValueError as error:
            raise Http404 from error
        mix = get_object_or_404(StemMix, pk=mix_id, track=revision.track)
        return parse(mix.settings), mix.name
    if query.get("preset"):
        preset = query["preset"]
        if preset not in PRESETS:
            raise BadMix(f"the preset must be one of {', '.join(PRESETS)}")
        return PRESETS[preset], preset.replace("-", " ")
    text = query.get("settings", "{}")
    if len(text) > MOST_SETTINGS_CHARACTERS:
        raise BadMix("the mix is too long")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMix("the mix is no JSON") from error
    return parse(document), "mix"


def _sources(report: Report, held: ExitStack) -> StemSources:
    """The whole stems on this machine until ``held`` lets go. Raises FileNotFoundError."""
    document = report.document
    return StemSources(
        paths={
            stem["name"]: held.enter_context(
                local_file(services.derived_name(report, stem["file"]))
            )
            for stem in document["stems"]
        },
        sample_rate=document["sample_rate"],
        n_samples=document["n_samples"],
        lowered_db=document["lowered_db"],
    )


def _known_peaks(report: Report, settings: MixSettings) -> MixPeaks | None:
    known = cache.get(_peaks_key(report, settings))
    return None if known is None else MixPeaks(**known)


def _measured_peaks(report: Report, settings: MixSettings, sources: StemSources) -> MixPeaks:
    peaks = measure_mix(sources, settings)
    cache.set(_peaks_key(report, settings), asdict(peaks), _PEAKS_KEPT_S)
    return peaks


def _peaks_key(report: Report, settings: MixSettings) -> str:
    parts = [report.pk.hex, report.created_at.timestamp(), to_document(settings)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"analysis.mix_peaks.{digest}"
