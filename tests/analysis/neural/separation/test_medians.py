"""Running medians against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

from analysis.neural.separation.medians import running_median


@pytest.mark.parametrize("size", [3, 9, 11, 17, 21])
@pytest.mark.parametrize("dim", [0, 1])
def test_the_same_as_scipys(size, dim):
    picture = np.random.default_rng(size).random((300, 47)).astype(np.float32)
    expected = median_filter(picture, size=(size, 1) if dim == 0 else (1, size), mode="nearest")
    found = running_median(torch.from_numpy(picture), size, dim=dim).numpy()
    np.testing.assert_array_equal(found, expected)


def test_an_even_size_is_refused():
    with pytest.raises(ValueError, match="odd"):
        running_median(torch.zeros(4, 4), 4, dim=1)
