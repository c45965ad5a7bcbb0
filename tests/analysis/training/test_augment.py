"""Training windows: cut rightly, changed within bounds, still pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.sound.mel import log_mel
from analysis.training.augment import (
    Augmentation,
    Pieces,
    mixup,
    random_window,
    random_windows,
)
from analysis.training.picture_bank import PictureBank

UNCHANGED = Augmentation(
    stretch=0,
    shift_bands=0,
    tilt=0,
    equaliser=0,
    gain=0,
    contrast=0,
    floor=0,
    noise=0,
    masks=0,
    short=0,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*lengths: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (128, n), dtype=np.uint8) for n in lengths]


def test_an_unchanged_window_is_a_piece_of_its_own_track():
    tracks = pictures(300, 128, 140)
    wanted = torch.tensor([2, 0, 1, 0, 2, 2])
    windows = random_windows(
        PictureBank(tracks), wanted, augmentation=UNCHANGED, generator=seeded()
    )
    for window, track in zip(windows.numpy(), wanted.tolist(), strict=True):
        places = np.lib.stride_tricks.sliding_window_view(tracks[track], 128, axis=1)
        distance = np.abs(places.transpose(1, 0, 2) / 255.0 - window).max(axis=(1, 2))
        assert distance.min() < 1e-6


def test_all_starts_are_drawn_and_none_beyond_the_end():
    ramp = np.tile(np.arange(131, dtype=np.uint8), (128, 1))
    windows = random_windows(
        PictureBank([ramp]),
        torch.zeros(200, dtype=torch.int64),
        augmentation=UNCHANGED,
        generator=seeded(),
    )
    assert set((windows[:, 0, 0] * 255).round().int().tolist()) == {0, 1, 2, 3}


def test_stretching_agrees_with_linear_interpolation():
    track = pictures(100)[0]
    window = random_windows(
        PictureBank([track]), torch.tensor([0]), augmentation=UNCHANGED, generator=seeded()
    )
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(track)[None] / 255.0, size=128, mode="linear", align_corners=False
    )
    torch.testing.assert_close(window, expected, atol=1e-5, rtol=0)


def test_a_short_track_is_repeated():
    track = pictures(30)[0]
    window = random_windows(
        PictureBank([track]), torch.tensor([0]), augmentation=UNCHANGED, generator=seeded()
    )
    np.testing.assert_allclose(window[0], np.tile(track, 5)[:, :128] / 255.0, atol=1e-6)


@pytest.mark.parametrize("bands", [-2, 1, 3])
def test_a_pitch_shift_moves_bands_and_keeps_the_edge(bands):
    from analysis.training.augment import _shift_bands

    windows = torch.rand(2, 40, 128, generator=seeded())
    before = windows.clone()
    _shift_bands(windows, torch.tensor([0, bands]))
    torch.testing.assert_close(windows[0], before[0])
    source = [min(max(band - bands, 0), 127) for band in range(128)]
    torch.testing.assert_close(windows[1], before[1][:, source])


@pytest.mark.parametrize("width", [32, 40, 64, 128, 200])
def test_changed_windows_stay_pictures(width):
    windows = random_windows(
        PictureBank(pictures(387, 36, 90)),
        torch.arange(60) % 3,
        width=width,
        augmentation=Augmentation(short=0.3),
        generator=seeded(),
    )
    assert windows.shape == (60, 128, width)
    assert 0.0 <= float(windows.min()) <= float(windows.max()) <= 1.0
    assert float(windows.std(dim=(1, 2)).min()) > 0.05


def test_masks_cover_no_more_than_they_may():
    strong = Augmentation(masks=2, mask_bands=16, mask_columns=20, **_no("masks"))
    windows = random_windows(
        PictureBank(pictures(128)),
        torch.zeros(300, dtype=torch.int64),
        augmentation=strong,
        generator=seeded(),
    )
    bands = (windows.std(dim=2) < 1e-6).sum(1)
    columns = (windows.std(dim=1) < 1e-6).sum(1)
    assert 15 < int(bands.max()) <= 30
    assert 19 < int(columns.max()) <= 38
    assert int(bands.min()) <= 3


def _no(kept: str) -> dict[str, float]:
    changes = "stretch shift_bands tilt equaliser gain contrast floor noise short".split()
    return {name: 0 for name in changes if name != kept}


def test_the_same_seed_draws_the_same_windows():
    bank = PictureBank(pictures(387, 200))
    tracks = torch.tensor([0, 1, 1])
    one, two, other = (
        random_windows(bank, tracks, augmentation=Augmentation(), generator=seeded(seed))
        for seed in (1, 1, 2)
    )
    torch.testing.assert_close(one, two, atol=0, rtol=0)
    assert not torch.allclose(one, other)


def test_one_window_of_a_picture():
    picture = torch.from_numpy(pictures(387)[0])
    window = random_window(picture, augmentation=Augmentation(), generator=seeded())
    assert window.shape == (128, 128)


@pytest.mark.parametrize("shape", [(128, 0), (96, 200), (128,)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="mel picture"):
        PictureBank([np.zeros(shape, dtype=np.uint8)])


def test_mixup_keeps_targets_distributions():
    generator = seeded()
    windows, targets = torch.rand(8, 1, 4, 4), torch.eye(8)
    mixed, soft = mixup(windows, targets, alpha=0.4, generator=generator)
    torch.testing.assert_close(soft.sum(1), torch.ones(8))
    assert (soft.max(1).values >= 0.5).all()
    assert mixed.shape == windows.shape


def test_mixup_can_be_left_out():
    windows, targets = torch.rand(8, 1, 4, 4), torch.eye(8)
    mixed, soft = mixup(windows, targets, alpha=0.0, generator=seeded())
    assert torch.equal(mixed, windows)
    assert torch.equal(soft, targets)


@pytest.mark.parametrize("speed", [0.95, 1.05])
def test_another_speed_looks_like_the_sound_played_so(speed):
    """Chords that change, played slower or faster, against the window that is said to be that."""
    t = np.arange(22_050 * 14) / 22_050

    def played(factor: float) -> np.ndarray:
        at = t * factor
        sound = np.zeros_like(at)
        for hz, rate in ((110, 0.7), (330, 1.1), (900, 0.9), (2_500, 1.3), (6_000, 0.8)):
            sound += np.sin(2 * np.pi * hz * at) * (0.55 + 0.45 * np.sin(2 * np.pi * rate * at))
        noise = 1e-3 * np.random.default_rng(0).normal(size=at.size)
        return log_mel((0.1 * sound + noise).astype("f4"))

    def window(augmentation: Augmentation) -> np.ndarray:
        start, size, speeds = torch.tensor([[0.0], [128 * speed], [speed]])
        pieces = Pieces(start, size, start > 0, speeds)
        return random_windows(
            PictureBank([played(1.0)]),
            torch.tensor([0]),
            augmentation=augmentation,
            generator=seeded(),
            pieces=pieces,
        )[0].numpy()

    wanted = played(speed)[:, :128] / 255.0
    warped = np.abs(window(replace(UNCHANGED, speed=0.1)) - wanted).mean()
    only_stretched = np.abs(window(UNCHANGED) - wanted).mean()
    assert warped < 0.75 * only_stretched
    # The loudest band moves to where it belongs.
    found = window(replace(UNCHANGED, speed=0.1)).mean(axis=1)
    assert np.corrcoef(found, wanted.mean(axis=1))[0, 1] > 0.95


def test_another_depth_keeps_the_loudest_and_moves_the_rest():
    picture = np.linspace(0, 255, 128, dtype=np.uint8)[:, None].repeat(128, axis=1)
    windows = random_windows(
        PictureBank([picture]),
        torch.zeros(50, dtype=torch.int64),
        augmentation=replace(UNCHANGED, depth=0.25),
        generator=seeded(),
    )
    assert windows[:, -1].numpy() == pytest.approx(1.0)
    middle = 1 - windows[:, 64, 0].numpy()
    was = 1 - picture[64, 0] / 255
    assert middle.min() / was == pytest.approx(0.75, abs=0.05)
    assert middle.max() / was == pytest.approx(1.25, abs=0.05)
