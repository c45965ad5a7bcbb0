"""From an engine's segments to the files and the document that are kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.neural.separation.engine import Engine
from analysis.neural.separation.engines import STARTER
from analysis.neural.separation.segments import Segments
from analysis.neural.separation.spectra import SAMPLE_RATE
from analysis.sound.stem_evidence import StemEvidence, StemMeter
from analysis.sound.stem_writer import StemWriter
from analysis.stem_genre import genre_by_stem
from analysis.stem_names import engine_label, in_order, stem_label

CHUNK_SAMPLES = 10 * SAMPLE_RATE
_CEILING = 0.9999


def write_stems(
    made: Segments, folder: Path, *, engine: Engine, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Write every stem into a fresh folder; returns the report's document.

    Where a stem goes over full scale, which the mix itself need not, all stems are lowered by the
    same ``lowered_db``, so that nothing is clipped and they still add up to the mix, lowered.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    peak = made.peak()
    factor = _CEILING / peak if peak > _CEILING else 1.0
    stems = []
    names = in_order(made.stems)
    for number, name in enumerate(names):
        with StemWriter(
            folder, name, sample_rate=SAMPLE_RATE, chunk_samples=CHUNK_SAMPLES
        ) as writer:
            for at, block in enumerate(made.blocks(name)):
                writer.add(block * factor if factor != 1.0 else block)
                progress((number + (at + 1) / len(made.parts)) / len(names))
            figures = writer.finish()
        stems.append({"label": stem_label(name), **asdict(figures)})
    return {
        "engine": engine.name,
        "engine_label": engine_label(engine.name),
        "is_starter": engine.name == STARTER,
        "identity": engine.identity,
        "sample_rate": SAMPLE_RATE,
        "n_samples": made.n_samples,
        "duration_s": round(made.n_samples / SAMPLE_RATE, 3),
        "chunk_samples": CHUNK_SAMPLES,
        "lowered_db": round(20.0 * math.log10(factor), 3) + 0.0,
        "stems": stems,
        "mix": asdict(_evidence(made)),
        "genre": genre_by_stem(made),
    }


def _evidence(made: Segments) -> StemEvidence:
    """What the mix engineer takes of the stems: see :func:`analysis.mixing.rejudge`."""
    meter = StemMeter(made.stems, sample_rate=SAMPLE_RATE)
    for blocks in zip(*(made.blocks(name) for name in made.stems), strict=True):
        meter.add(
            {name: block.mean(axis=1) for name, block in zip(made.stems, blocks, strict=True)}
        )
    return meter.result()
