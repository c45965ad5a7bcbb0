"""Figures of a separation: known errors, known multitracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis.training.separation_figures import (
    STEMS,
    NotAMultitrack,
    medians,
    plain_hpss,
    read_multitrack,
    sdr_db,
)

FALCON = Path(__file__).resolve().parents[4] / "shared/data/stems_falcon/falcon69.stem.mp4"
RATE = 44_100


def test_sdr_of_a_known_error():
    true = np.random.default_rng(0).standard_normal((2, RATE)).astype(np.float32)
    assert sdr_db(true, 0.9 * true) == pytest.approx(20.0, abs=0.01), "a tenth is missing"
    assert sdr_db(true, np.zeros_like(true)) == pytest.approx(0.0, abs=0.01)
    assert sdr_db(true, 2 * true + true) == pytest.approx(-6.02, abs=0.01)


def test_hpss_knows_clicks_from_tones():
    at = np.arange(4 * RATE) / RATE
    tone = np.tile(0.2 * np.sin(2 * np.pi * 440 * at), (2, 1)).astype(np.float32)
    clicks = np.zeros_like(tone)
    clicks[:, RATE // 4 :: RATE // 2] = 0.9
    made = plain_hpss(tone + clicks)
    assert sdr_db(clicks, made["drums"]) > sdr_db(clicks, tone + clicks) + 10
    assert sdr_db(tone, made["other"]) > 10
    np.testing.assert_allclose(made["drums"] + made["bass"], tone + clicks, atol=1e-5)


def test_a_folder_needs_all_its_files(tmp_path):
    for name in ("mixture", "vocals", "drums", "bass"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros((100, 2)), RATE)
    with pytest.raises(NotAMultitrack, match=r"lacks other\.wav"):
        read_multitrack(tmp_path)
    soundfile.write(tmp_path / "other.wav", np.zeros((90, 1)), RATE)
    track = read_multitrack(tmp_path)
    assert {part.shape for part in (track.mixture, *track.stems.values())} == {(2, 90)}
    (tmp_path / "x.stem.mp4").write_bytes(b"no sound")
    with pytest.raises(NotAMultitrack, match="cannot be read"):
        read_multitrack(tmp_path / "x.stem.mp4")


@pytest.mark.data
@pytest.mark.skipif(not FALCON.exists(), reason="needs ../shared/data/stems_falcon")
def test_a_stems_file_holds_what_it_says():
    """Its own parts add up to the mix but for the mastering; streams in another order would not
    leave the kick with the drums."""
    track = read_multitrack(FALCON)
    summed = sum(track.stems.values())
    alike = np.corrcoef(summed[0], track.mixture[0])[0, 1]
    assert alike > 0.95
    power = {name: np.abs(np.fft.rfft(part[0])) ** 2 for name, part in track.stems.items()}
    low = int(150 * track.mixture.shape[1] / RATE)
    lowness = {name: spectrum[:low].sum() / spectrum.sum() for name, spectrum in power.items()}
    assert max(lowness, key=lowness.__getitem__) in ("bass", "drums")
    assert min(lowness, key=lowness.__getitem__) in ("vocals", "other")


def test_the_median_is_taken_for_each_stem():
    rows = [{"nothing": dict.fromkeys(STEMS, value)} for value in (1.0, 9.0, 2.0)]
    assert medians(rows) == {"nothing": dict.fromkeys(STEMS, 2.0)}
