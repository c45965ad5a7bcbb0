"""Loudness, range and true peak of real tracks beside FFmpeg's ebur128."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.sound.decode import stream
from analysis.sound.measure import measure
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.ffmpeg_meter import ebur128

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "data" / "gtzan_audio"


def assert_agrees(path: Path, loudness) -> None:
    with stream(path) as blocks:
        sound, info = np.concatenate(list(blocks), axis=1), blocks.info
    theirs = ebur128(sound, rate=info.sample_rate, layout=info.channel_layout)
    assert loudness.integrated_lufs == pytest.approx(theirs.integrated_lufs, abs=0.1)
    assert loudness.loudness_range_lu == pytest.approx(theirs.loudness_range_lu, abs=0.5)
    assert loudness.true_peak_dbtp == pytest.approx(theirs.true_peak_dbtp, abs=0.2)


@pytest.mark.parametrize("number", range(20))
def test_agrees_with_ffmpeg_on_twenty_real_tracks(number):
    path = demo_tracks()[number].path
    assert_agrees(path, measured(path).loudness)


@pytest.mark.data
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the research data (gtzan_audio) is not here")
def test_agrees_with_ffmpeg_on_recordings_of_every_genre():
    for path in sorted(CORPUS.glob("*.flac"))[::10]:
        assert_agrees(path, measure(path).loudness)
