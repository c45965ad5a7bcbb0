"""Running medians of pictures, by a sorting network.

A running median over 21 frames of a large picture takes scipy or torch's own half a second here.
Laid out as comparisons of whole shifted pictures (Batcher's odd-even merge sort, pruned to the
comparisons on which the median depends) the same values take a fifth of it, on any device.
"""

from __future__ import annotations

from functools import cache

import torch
from torch.nn import functional

_ROWS_AT_ONCE = 256


def running_median(picture: torch.Tensor, size: int, *, dim: int) -> torch.Tensor:
    """Median over ``size`` (odd) neighbours along ``dim`` of a picture (rows, columns).

    At the edges the outermost value is repeated.
    """
    if size % 2 == 0:
        raise ValueError(f"expected an odd size, got {size}")
    if dim == 0:
        return running_median(picture.T.contiguous(), size, dim=1).T
    padded = functional.pad(picture[None], (size // 2, size // 2), mode="replicate")[0]
    width = picture.shape[1]
    return torch.cat(
        [
            _median([rows[:, at : at + width] for at in range(size)])
            for rows in padded.split(_ROWS_AT_ONCE)
        ]
    )


def _median(values: list[torch.Tensor]) -> torch.Tensor:
    for low, high, low_needed, high_needed in _comparisons(len(values)):
        first, second = values[low], values[high]
        if low_needed:
            values[low] = torch.minimum(first, second)
        if high_needed:
            values[high] = torch.maximum(first, second)
    return values[len(values) // 2]


@cache
def _comparisons(size: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Pairs to compare in turn, and which of the two results anything later depends on."""
    needed = {size // 2}
    kept = []
    for low, high in reversed(_merge_sort(size)):
        if low in needed or high in needed:
            kept.append((low, high, low in needed, high in needed))
            needed |= {low, high}
    return tuple(reversed(kept))


def _merge_sort(size: int) -> list[tuple[int, int]]:
    """Batcher's network for any size (Knuth, The Art of Computer Programming 3, 5.2.2 M)."""
    pairs = []
    block = 1
    while block < size:
        step = block
        while step >= 1:
            for start in range(step % block, size - step, 2 * step):
                for at in range(start, min(start + step, size - step)):
                    if at // (2 * block) == (at + step) // (2 * block):
                        pairs.append((at, at + step))
            step //= 2
        block *= 2
    return pairs
