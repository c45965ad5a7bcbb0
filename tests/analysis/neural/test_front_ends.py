"""How taggers take in sound, and pictures of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.neural import yamnet
from analysis.neural.front_ends import (
    LOUDEST_AMPLITUDE,
    FrontEnd,
    OfMusiCNN,
    OfYAMNet,
    front_end_of,
    picture_gain,
)
from analysis.neural.taggers import MusiCNN
from analysis.neural.yamnet import YAMNet
from analysis.sound.mel import SAMPLE_RATE, log_mel
from analysis.sound.mono import mono_of_file
from analysis.training.recordings import demo_files

BOTH: list[FrontEnd] = [OfMusiCNN(), OfYAMNet(YAMNet())]


@pytest.fixture(scope="module")
def songs() -> list[np.ndarray]:
    return [mono_of_file(path)[: 10 * SAMPLE_RATE] for path in demo_files()[:4]]


def test_each_tagger_has_its_own() -> None:
    assert front_end_of(MusiCNN()).name == "musicnn"
    tagger = YAMNet()
    tagger.picture_gain.fill_(1.0)
    windows = torch.full((1, 128, 40), 0.75)
    raised, plain = (end.imagine(windows) for end in (front_end_of(tagger), BOTH[1]))
    torch.testing.assert_close(yamnet.expanded(raised), np.e * yamnet.expanded(plain))


@pytest.mark.parametrize("front", BOTH, ids=lambda front: front.name)
def test_kept_frames_do_not_know_the_level(front: FrontEnd, songs: list[np.ndarray]) -> None:
    kept, quiet = front.kept(songs[0]), front.kept(songs[0] * 0.01)
    assert kept.shape[1] == front.bands
    assert kept.max() == 255
    assert np.abs(kept.astype(int) - quiet.astype(int)).max() <= 1
    seconds = len(songs[0]) / SAMPLE_RATE
    assert len(kept) == pytest.approx(seconds * front.frames_per_second, abs=4)


def test_the_loudest_amplitude_is_a_usual_one(songs: list[np.ndarray]) -> None:
    frames = BOTH[1].frames(torch.from_numpy(BOTH[1].kept(songs[0])))
    amplitudes = yamnet.expanded(frames)
    assert float(amplitudes.max()) == pytest.approx(LOUDEST_AMPLITUDE, rel=0.01)
    assert float(amplitudes.min()) >= 0.0


@pytest.mark.parametrize("front", BOTH, ids=lambda front: front.name)
def test_sounds_mix_by_their_power(front: FrontEnd) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (
        front.frames(torch.randint(120, 255, (2, 5, front.bands), generator=generator))
        for _ in range(2)
    )
    alone = front.mixed(first, second, torch.tensor([-torch.inf, -torch.inf]))
    torch.testing.assert_close(alone, first, atol=1e-3, rtol=1e-3)
    same = front.mixed(first, first, torch.tensor([0.0, 6.0]))
    torch.testing.assert_close(same, first, atol=1e-3, rtol=1e-3)
    much = front.mixed(first, second, torch.tensor([60.0, 60.0]))
    torch.testing.assert_close(much, second, atol=0.05, rtol=0.01)


@pytest.mark.parametrize("front", BOTH, ids=lambda front: front.name)
def test_imagined_frames_resemble_the_heard_ones(front: FrontEnd, songs: list[np.ndarray]) -> None:
    for sound in songs:
        picture = torch.from_numpy(log_mel(sound))[None] / 255.0
        imagined = front.imagine(picture)[0]
        heard = front.frames(torch.from_numpy(front.kept(sound)))
        together = min(len(imagined), len(heard))
        pair = torch.stack([imagined[:together].flatten(), heard[:together].flatten()])
        assert float(torch.corrcoef(pair)[0, 1]) > 0.75


def test_the_gain_makes_up_for_what_bands_count(songs: list[np.ndarray]) -> None:
    tagger = YAMNet()
    front = front_end_of(tagger)
    heard = [front.frames(torch.from_numpy(front.kept(sound))) for sound in songs]
    pictures = [torch.from_numpy(log_mel(sound))[None] / 255.0 for sound in songs]

    def imagined() -> list[torch.Tensor]:
        return [front.imagine(each)[0] for each in pictures]

    def bias() -> torch.Tensor:
        """By band, in nepers of the power of all songs."""
        return picture_gain(torch.cat(imagined()), torch.cat(heard))

    before = bias()
    # Wide bands hold more of the amplitudes.
    assert float(before[-8:].mean() - before[:8].mean()) > 1.0
    tagger.picture_gain.copy_(before)
    assert float(bias().abs().max()) < 0.05
