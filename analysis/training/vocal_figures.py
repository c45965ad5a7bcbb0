"""How well the balance of a voice is measured through the starter, and a wrong one found.

Voices of finished tracks are turned up or down by a known amount, the new mix is separated again,
and the measured change is compared with the true one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from analysis.mixing.targets import load_targets
from analysis.mixing.vocal_checks import SMALLEST_WORTH_DB
from analysis.neural.separation import engines
from analysis.sound.stem_evidence import VOICE
from analysis.training.measure_vocals import ENGINE, balance_of_stems, mono_stems

CHANGES_DB = (-8.0, -6.0, -4.0, 4.0, 6.0, 8.0)


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
        stems = mono_stems(path, engine)
        before = balance_of_stems(stems)
        usual = targets.of(genre).vocals
        if before is None or usual is None:
            continue
        false_ones.append(abs(usual.outside_db(before.ratio_lu)) >= SMALLEST_WORTH_DB)
        for change in CHANGES_DB:
            mix = sum(stems.values()) + stems[VOICE] * (10.0 ** (change / 20.0) - 1.0)
            after = balance_of_stems(mono_stems(np.asarray(mix, np.float32), engine))
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
