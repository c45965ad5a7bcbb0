"""How well the balance of a voice is measured through the starter, and a wrong one found.

Voices of finished tracks are turned up or down by a known amount, the new mix is separated again,
and the measured change is compared with the true one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from analysis.mixing.targets import load_targets
from analysis.mixing.vocal_checks import SMALLEST_WORTH_DB
from analysis.neural.separation import engines
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.separate import separate
from analysis.sound.stem_evidence import VOICE
from analysis.sound.vocal_balance import VocalBalance, vocal_balance
from analysis.training.measure_vocals import ENGINE

CHANGES_DB = (-8.0, -6.0, -4.0, 4.0, 6.0, 8.0)
_RATE = 44_100

Sound = npt.NDArray[np.float32]


def vocal_figures(tracks: Iterable[tuple[str, Path]]) -> dict[str, dict[str, float | int]]:
    """Figures by change, from (genre, file) pairs; instrumental tracks are left out.

    ``found`` is the share of changed mixes whose voice is judged too loud, or too quiet, against
    the genre's range; ``error_db`` the mean distance of the measured change from the true one.
    ``as it is`` holds the share of unchanged mixes with a finding, and the number of tracks.
    """
    engine = engines.load(ENGINE)
    targets = load_targets()
    found: dict[float, list[bool]] = {change: [] for change in CHANGES_DB}
    errors: dict[float, list[float]] = {change: [] for change in CHANGES_DB}
    false_ones = []
    for genre, path in tracks:
        stems = _separated(path, engine)
        before = _balance(stems)
        usual = targets.of(genre).vocals
        if before is None or usual is None:
            continue
        false_ones.append(abs(usual.outside_db(before.ratio_lu)) >= SMALLEST_WORTH_DB)
        for change in CHANGES_DB:
            mix = sum(stems.values()) + stems[VOICE] * (10.0 ** (change / 20.0) - 1.0)
            after = _balance(_separated(np.asarray(mix, np.float32), engine))
            if after is None:
                found[change].append(False)
                continue
            outside = usual.outside_db(after.ratio_lu)
            found[change].append(outside * np.sign(change) >= SMALLEST_WORTH_DB)
            errors[change].append(abs(after.ratio_lu - before.ratio_lu - change))
    return {
        "voice as it is": {"judged": float(np.mean(false_ones)), "tracks": len(false_ones)},
        **{
            f"voice {change:+g} dB": {
                "found": float(np.mean(found[change])),
                "error_db": float(np.mean(errors[change])),
                "cases": len(found[change]),
            }
            for change in CHANGES_DB
        },
    }


def _balance(stems: Mapping[str, Sound]) -> VocalBalance | None:
    rest = sum(sound for name, sound in stems.items() if name != VOICE)
    return vocal_balance(stems[VOICE], np.asarray(rest), _RATE)


def _separated(source: Path | Sound, engine: Engine) -> dict[str, Sound]:
    """Mono stems (n,) at 44.1 kHz by name."""
    folder = Path(tempfile.mkdtemp(prefix="svp-voices-"))
    try:
        blocks = source if isinstance(source, Path) else iter([source[None]])
        done = separate(
            blocks, folder, engine=engine, sample_rate=_RATE, title="voice", file_format="wav"
        )
        return {
            name: soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1)
            for name, file in done.files.items()
        }
    finally:
        shutil.rmtree(folder)
