"""The starter's stems: they add up, have no seams, and separate what is known apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.neural.separation.accompaniment import percussive, shares
from analysis.neural.separation.spectra import HOP, padded_span, sound, spectra
from analysis.neural.separation.starter import Starter
from analysis.neural.separation.vocal_masks import extend_upwards
from tests.analysis.neural.separation.sounds import level_db, reader, sdr_db, song, whole


def _plain_hpss(mix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percussive and harmonic part (2, n) of a mix."""
    frames = mix.shape[1] // HOP + 6
    spectrum = spectra(reader(mix)(*padded_span(-2, frames)))
    share = percussive(spectrum.abs().square().mean(dim=0).sqrt())
    beaten = sound(spectrum * share)[:, : mix.shape[1]].numpy()
    return beaten, mix - beaten


def test_spectra_and_back_is_the_same_sound():
    mix = song(3.0)
    frames = mix.shape[1] // HOP + 6
    again = sound(spectra(reader(mix)(*padded_span(-2, frames))))[:, : mix.shape[1]].numpy()
    assert level_db(again - mix, mix) < -120


def test_four_stems_add_up_to_the_mix(starter):
    mix = song(12.0)
    stems = whole(starter, mix)
    assert list(stems) == ["vocals", "drums", "bass", "other"]
    assert level_db(sum(stems.values()) - mix, mix) < -120
    assert all(level_db(stem, mix) > -40 for stem in stems.values())


def test_no_seams_wherever_the_blocks_lie(starter):
    mix = song(20.0)
    one = whole(starter, mix)
    other = whole(Starter("cpu", phase=192), mix)
    for name, stem in one.items():
        assert level_db(stem - other[name], mix) < -25, name
    # At the edges of segments (every 8.9 s) a stem jumps no more than elsewhere.
    edges = np.arange(starter.segment_samples, mix.shape[1], starter.segment_samples)
    for name in ("vocals", "bass"):
        second = np.abs(np.diff(one[name], n=2, axis=1)).max(axis=0)
        near = np.concatenate([second[edge - 4 : edge + 4] for edge in edges])
        assert near.max() <= np.quantile(second, 0.999), name


def test_a_segment_does_not_depend_on_what_came_before(starter):
    mix = song(12.0)
    in_order = starter.begin(reader(mix))
    in_order(0)
    fresh = starter.begin(reader(mix))
    assert torch.allclose(in_order(1), fresh(1), atol=1e-6)


def test_the_top_octave_follows_the_masks_top():
    mask = torch.zeros(2, 1024, 3)
    mask[:, -128:, 1] = 1.0
    whole_mask = extend_upwards(mask)
    assert whole_mask.shape == (2, 2049, 3)
    assert whole_mask[0, 1500].tolist() == [0.0, 1.0, 0.0]


def test_noise_hits_are_drums_and_a_low_note_is_bass():
    t = np.arange(5 * 44_100) / 44_100
    low = sum(0.2 / k * np.sin(2 * np.pi * 61.7 * k * t) for k in range(1, 6))
    hits = 0.5 * np.random.default_rng(3).standard_normal(len(t)) * np.exp(-((2 * t) % 1) * 20)
    chord = 0.1 * (np.sin(2 * np.pi * 523 * t) + np.sin(2 * np.pi * 1047 * t))
    truth = {
        name: np.stack([part, part]).astype(np.float32)
        for name, part in (("bass", low), ("drums", hits), ("other", chord))
    }
    mix = sum(truth.values())
    spectrum = spectra(reader(mix)(*padded_span(-2, mix.shape[1] // HOP + 6)))
    share = shares(spectrum.abs().square().mean(dim=0).sqrt())
    found = {
        "drums": sound(spectrum * share.drums)[:, : mix.shape[1]].numpy(),
        "bass": sound(spectrum * share.bass)[:, : mix.shape[1]].numpy(),
    }
    found["other"] = mix - found["drums"] - found["bass"]
    assert sdr_db(truth["drums"], found["drums"]) > 8
    assert sdr_db(truth["bass"], found["bass"]) > 10
    assert sdr_db(truth["other"], found["other"]) > 10


@pytest.mark.data
def test_better_than_nothing_and_than_plain_hpss_on_a_true_multitrack(starter, falcon):
    mix = falcon["mix"]
    stems = whole(starter, mix)
    beaten, lasting = _plain_hpss(mix)
    for name, stem in stems.items():
        nothing = sdr_db(falcon[name], mix)
        plain = sdr_db(falcon[name], beaten if name == "drums" else lasting)
        assert sdr_db(falcon[name], stem) > max(nothing, plain) + 0.5, (name, nothing, plain)
    assert sdr_db(falcon["vocals"], stems["vocals"]) > 3.5
    assert sdr_db(falcon["drums"], stems["drums"]) > 3.5
