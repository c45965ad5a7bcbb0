"""Known technical damage to real music: is it found, and only where it was done?

Balanced demo tracks are hurt in every way of :mod:`tests.analysis.mixing.injuries`. In at least
nine of ten cases the right finding must appear, and it must not be there on the whole track.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analysis.mixing.findings import LARGEST_MOVE_DB, Finding
from tests.analysis.mixing import injuries
from tests.analysis.mixing.injuries import Array
from tests.analysis.mixing.mixes import judged_sound, music

TRACKS = (0, 4, 11, 16, 20)
LEAST_RATE = 0.9

Findings = dict[str, Finding]


def heard(folder: Path, sound: Array) -> Findings:
    return {finding.id: finding for finding in judged_sound(folder, sound).findings}


@cache
def whole(number: int, folder: Path) -> Findings:
    """Findings of a track without any damage."""
    return heard(folder, music(number))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("injured")


def cut_above(sound: Array, folder: Path) -> Array:
    return injuries.through_codec(
        injuries.full_band(sound), folder, codec="libmp3lame", bit_rate=128_000
    )


INJURIES: dict[str, tuple[set[str], Callable[[Array], Array]]] = {
    "clipping": ({"clipping"}, injuries.clipped),
    "limiter": ({"over_limited"}, lambda sound: injuries.limited(sound, drive_db=9)),
    "limiter, turned down": (
        {"over_limited"},
        lambda sound: injuries.limited(sound, drive_db=9) * np.float32(0.35),
    ),
    "saturation": (
        {"over_limited"},
        lambda sound: (np.tanh(injuries.at_peak(sound, 12)) * 0.8).astype(np.float32),
    ),
    "left inverted": ({"phase"}, lambda sound: injuries.inverted(sound, channel=0)),
    "right inverted": ({"phase"}, lambda sound: injuries.inverted(sound, channel=1)),
    "bass inverted on one side": (
        {"phase", "phase_low"},
        lambda sound: injuries.inverted_band(sound, low_hz=20, high_hz=250),
    ),
    "a band inverted on one side": (
        {"phase", "mono_loss"},
        lambda sound: injuries.inverted_band(sound, low_hz=2_000, high_hz=6_000),
    ),
    "mono": ({"narrow"}, injuries.collapsed),
    "off centre": ({"dc_offset"}, injuries.off_centre),
}


@pytest.mark.parametrize("name", INJURIES)
def test_the_right_finding_appears_and_only_on_the_injured_track(folder, name):
    wanted, hurt = INJURIES[name]
    found = [bool(wanted & heard(folder, hurt(music(number))).keys()) for number in TRACKS]
    assert np.mean(found) >= LEAST_RATE
    assert not any(wanted & whole(number, folder).keys() for number in TRACKS)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_is_found_with_its_frequency(folder, mains_hz):
    found = []
    for number in TRACKS:
        sound = injuries.at_peak(music(number), -1.0)
        hurt = injuries.humming(sound, mains_hz=mains_hz, dbfs=-45.0, seed=number)
        finding = heard(folder, hurt).get("hum")
        found.append(finding is not None and f"{mains_hz:.0f} Hz" in finding.title)
        assert "hum" not in whole(number, folder)
    assert np.mean(found) >= LEAST_RATE


def test_a_wav_that_was_an_mp3_is_found_with_its_edge(folder):
    found = []
    for number in TRACKS:
        finding = heard(folder, cut_above(music(number), folder)).get("lossy_source")
        found.append(finding is not None and 15_500 <= (finding.where.low_hz or 0) <= 17_500)
        assert "lossy_source" not in heard(folder, injuries.full_band(music(number)))
    assert np.mean(found) >= LEAST_RATE


def test_a_resonance_is_found_and_the_advised_bell_lies_on_it(folder):
    """Five places in each of two tracks: notes hide some, so this is a rate of many."""
    generator = np.random.default_rng(3)
    found = []
    for number in (11, 20):
        assert "resonance" not in whole(number, folder)
        for hz in np.exp(generator.uniform(np.log(1_000), np.log(8_000), 5)):
            finding = heard(folder, injuries.ringing(music(number), hz=float(hz))).get("resonance")
            found.append(finding is not None and abs(np.log2(finding.advice.freq_hz / hz)) < 1 / 12)
            if finding is not None:
                assert -LARGEST_MOVE_DB <= finding.advice.gain_db < 0
                assert finding.advice.type == "bell"
    assert np.mean(found) >= 0.9


def test_every_finding_is_said_in_full(folder):
    """What, where, how much, how sure, why, and what to do."""
    sound = injuries.at_peak(music(4), -1.0)
    hurt = injuries.humming(sound, mains_hz=50.0, dbfs=-40.0, seed=1)
    finding = heard(folder, hurt)["hum"]
    assert finding.where.low_hz == pytest.approx(50.0, abs=1.0)
    assert finding.amount_db > 0
    assert 0.5 < finding.confidence <= 0.95
    assert "ground loop" in finding.explanation
    assert "50.0 Hz" in finding.advice.text
