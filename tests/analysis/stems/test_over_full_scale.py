"""Stems over full scale: kept without clipping, and as loud as they were when they are mixed."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from analysis.mixing.stem_mix import MixSettings
from analysis.neural.separation.segments import Segments
from analysis.sound.stem_writer import StemWriter, dithered_16_bit
from analysis.stem_render import StemSources, measure_mix, mix_blocks
from analysis.stem_store import write_stems

RATE = 44_100
NAMES = ("vocals", "drums", "bass", "other")


class Engine:
    name, stems, identity, segment_samples = "starter", NAMES, "x", RATE


def test_all_are_lowered_alike_and_mixed_as_they_were(tmp_path):
    rng = np.random.default_rng(3)
    hot = rng.uniform(-0.2, 0.2, (4, 2, RATE)).astype(np.float32)
    hot[1, 0, 100], hot[2, 0, 100] = 1.5, -1.4  # they take each other back in the mix
    np.save(tmp_path / "00000.npy", hot)
    n_samples = RATE - 77
    made = Segments(NAMES, [tmp_path / "00000.npy"], RATE, n_samples)
    document = write_stems(made, tmp_path / "out", engine=Engine(), progress=lambda share: None)

    assert document["lowered_db"] == pytest.approx(20 * np.log10(0.9999 / 1.5), abs=1e-3)
    factor = 0.9999 / 1.5
    paths = {name: tmp_path / "out" / f"{name}.flac" for name in NAMES}
    for number, name in enumerate(NAMES):
        kept = soundfile.read(paths[name])[0]
        np.testing.assert_allclose(kept, hot[number, :, :n_samples].T * factor, atol=2e-7)
    sources = StemSources(paths, RATE, n_samples, document["lowered_db"])
    mix = np.concatenate(list(mix_blocks(sources, MixSettings())), axis=1)
    expected = hot[:, :, :n_samples].sum(axis=0)
    np.testing.assert_allclose(mix, expected, atol=1e-4)
    peaks = measure_mix(sources, MixSettings(master_db=6.0))
    assert peaks.sample_peak == pytest.approx(np.abs(expected).max() * 10 ** (6 / 20), rel=1e-3)
    assert peaks.true_peak >= peaks.sample_peak


def test_nothing_is_clipped_in_silence(tmp_path):
    with StemWriter(tmp_path, "x", sample_rate=RATE, chunk_samples=100) as writer:
        writer.add(np.zeros((50, 2), np.float32))
        with pytest.raises(ValueError, match=r"over full scale: 1\.001"):
            writer.add(np.full((10, 2), 1.001, np.float32))


def test_dither_takes_the_distortion_away_and_leaves_silence_silent():
    at = np.arange(RATE) / RATE
    tone = (0.4 / 32_768 * np.sin(2 * np.pi * 1_000 * at)).astype(np.float32)
    assert not np.rint(tone * 32_768).any(), "without dither the tone would be gone"
    made = dithered_16_bit(np.stack([tone, tone], axis=1), seed=(1, 2)).astype(float)
    spectrum = np.abs(np.fft.rfft(made[:, 0])) / (RATE / 2)
    assert spectrum[1_000] == pytest.approx(0.4, rel=0.05)
    assert np.delete(spectrum[1:], 999).max() < 0.02
    # Triangular noise of two steps and the rounding: a quarter of a step's power.
    assert np.var(made[:, 0] - 32_768 * tone) == pytest.approx(0.25, rel=0.05)
    assert not dithered_16_bit(np.zeros((9, 2), np.float32), seed=(1, 2)).any()
