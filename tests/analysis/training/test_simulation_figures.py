"""Whether the timbre model hears what the simulation does, counted over clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.sound.timbre_simulation import TAGS
from analysis.training.timbre.simulation_figures import (
    SungClip,
    clips_of,
    described,
    falls_short,
    simulation_figures,
)
from analysis.training.timbre.voices import from_folder

DATA = Path(__file__).resolve().parents[4] / "shared/data/vocals_makam"


def treble_alone(sound: np.ndarray, rate: int) -> dict[str, float]:
    """A listener who calls everything what its share above 3 kHz is."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    share = power[round(3_000 * sound.size / rate) :].sum() / power.sum()
    return dict.fromkeys(TAGS, float(share))


def test_a_listener_for_treble_agrees_with_bright_and_not_with_warm():
    random = np.random.default_rng(4)
    clips = [
        SungClip(singer, (0.1 * random.standard_normal(44_100)).astype(np.float32), 44_100)
        for singer in ("Ada", "Bo")
    ]
    found = simulation_figures(clips, treble_alone)
    assert (found["clips"], found["singers"]) == (2, 2)
    assert found["largest_loudness_change_lu"] <= 0.1
    assert found["tags"]["bright"]["1"]["right"] == 1.0
    assert (
        found["tags"]["bright"]["1"]["median_move"] > found["tags"]["bright"]["0.5"]["median_move"]
    )
    assert found["tags"]["warm"]["1"]["right"] == 0.0
    assert "warm rises in 0.0% of the clips" in falls_short(found)
    assert "2 clips by 2 singers" in described(found)


@pytest.mark.data
def test_the_model_that_serves_agrees_on_a_singer():
    """One clip; ``manage.py evaluate_simulation`` has the figures."""
    if not DATA.is_dir():
        pytest.skip(f"no recordings at {DATA}")
    from analysis.neural.timbre.model import load

    voices = [voice for voice in from_folder(DATA) if "02_Gel_2" in voice.path.name][:1]
    clips = list(clips_of(voices, most_per_voice=1))
    assert len(clips) == 1
    assert falls_short(simulation_figures(clips, load().tag_probabilities)) == []
