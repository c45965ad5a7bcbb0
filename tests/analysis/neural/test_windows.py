"""Cutting and joining of windows."""

import numpy as np
import pytest

from analysis.neural.windows import cut, stitch, wide_enough, window_starts


@pytest.mark.parametrize(
    ("n_columns", "hop", "starts"),
    [
        (1, 96, [0]),
        (128, 96, [0]),
        (129, 96, [0, 1]),
        (224, 96, [0, 96]),
        (300, 96, [0, 96, 172]),
    ],
)
def test_windows_reach_the_end_and_never_beyond(n_columns, hop, starts):
    assert window_starts(n_columns, hop=hop) == starts


def test_hop_must_be_positive():
    with pytest.raises(ValueError, match="hop"):
        window_starts(300, hop=0)


def test_short_tracks_are_heard_at_closer_windows_than_songs():
    assert window_starts(387) == [0, 48, 96, 144, 192, 240, 259]
    assert window_starts(1000)[:3] == [0, 96, 192]


def test_short_picture_is_repeated_not_padded():
    mel = np.arange(128 * 40, dtype=np.uint8).reshape(128, 40)
    filled = wide_enough(mel)
    assert filled.shape == (128, 128)
    np.testing.assert_array_equal(filled[:, 40:80], mel)


@pytest.mark.parametrize("shape", [(128, 0), (128,)])
def test_empty_or_flat_picture_is_refused(shape):
    with pytest.raises(ValueError, match="mel picture"):
        wide_enough(np.zeros(shape, dtype=np.uint8))


def test_stitching_cut_windows_gives_the_picture_back():
    generator = np.random.default_rng(1)
    mel = generator.integers(0, 256, (128, 317), dtype=np.uint8)
    starts = window_starts(317)
    joined = stitch(cut(mel, starts).astype(np.float32), starts, 317)
    np.testing.assert_allclose(joined, mel, atol=1e-3)
