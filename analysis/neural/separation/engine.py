"""What an engine is: something that makes stems of any segment of a long sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch

# Samples (2, end - start) at 44.1 kHz from one position to another; zeros outside the file.
Reader: TypeAlias = "Callable[[int, int], torch.Tensor]"
# A segment's number -> its stems (stems, 2, segment_samples), on the CPU.
SegmentSeparator: TypeAlias = "Callable[[int], torch.Tensor]"


class EngineUnavailable(Exception):
    """An engine that cannot be used here; the message says why and what would help."""


class Engine(Protocol):
    """A separator of 44.1 kHz stereo sound.

    Segments lie end to end: number ``n`` is the samples from ``n * segment_samples``. Whatever an
    engine needs around a segment it reads itself, so segments may be made in any order and again
    after a crash, with the same result.
    """

    name: str
    stems: tuple[str, ...]
    segment_samples: int

    @property
    def identity(self) -> str:
        """Name and weights: changes whenever the stems would."""

    def begin(self, read: Reader) -> SegmentSeparator:
        """Start on a file."""
