"""Demucs through its own package: weights from a local folder, the hub's cache, or the hub.

Défossez et al., "Hybrid Transformers for Music Source Separation" (2023); the package is MIT.
Long files are given to it in windows that overlap: beside every segment it hears four seconds
more, and over one second neighbouring windows fade into each other. What its stems leave over of
the mix goes to the stem "other", so that they add up.

A Demucs checkpoint is a pickle that can hold code: a local folder is as trusted as the product's
own files, and only who runs the site may write there. Files named ``SIGNATURE-CHECKSUM.th`` are
checked against their names by the package.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from analysis.neural.separation import demucs_files
from analysis.neural.separation.engine import EngineUnavailable, Reader, SegmentSeparator
from analysis.neural.separation.spectra import SAMPLE_RATE

HUB_TIMEOUT_S = 5.0
_SEGMENT_SAMPLES = 30 * SAMPLE_RATE
_AROUND_SAMPLES = 4 * SAMPLE_RATE
_FADE_SAMPLES = SAMPLE_RATE
_REST = "other"


class Demucs:
    """See :class:`analysis.neural.separation.engine.Engine`.

    Raises
    ------
    EngineUnavailable
        If the model is neither here nor to be had from the hub in a short time.
    """

    segment_samples = _SEGMENT_SAMPLES

    def __init__(self, name: str, device: str = "cpu") -> None:
        self.name = name
        self._device = device
        self._separator, self._identity = _load(name, device)
        if self._separator.samplerate != SAMPLE_RATE or self._separator.audio_channels != 2:
            raise EngineUnavailable(f"{name} is not a model of 44.1 kHz stereo sound")
        self.stems = tuple(self._separator.model.sources)

    @property
    def identity(self) -> str:
        """Changes whenever the stems would."""
        return self._identity

    def begin(self, read: Reader) -> SegmentSeparator:
        """A function from a segment's number to its stems (stems, 2, segment_samples)."""
        windows = _Windows(self, read)

        def separate_segment(number: int) -> torch.Tensor:
            return windows.segment(number)

        return separate_segment

    def separate_window(self, samples: torch.Tensor) -> torch.Tensor:
        """Stems (stems, 2, n) of samples (2, n)."""
        with torch.inference_mode():
            _, parts = self._separator.separate_tensor(samples, SAMPLE_RATE)
        return torch.stack([parts[stem] for stem in self.stems]).cpu()


class _Windows:
    """Segments out of overlapping windows, each window computed once when read in order."""

    def __init__(self, engine: Demucs, read: Reader) -> None:
        self._engine = engine
        self._read = read
        self._kept: dict[int, torch.Tensor] = {}

    def segment(self, number: int) -> torch.Tensor:
        start = number * _SEGMENT_SAMPLES
        self._kept = {n: parts for n, parts in self._kept.items() if abs(n - number) <= 1}
        whole = self._read(start, start + _SEGMENT_SAMPLES)
        half = _FADE_SAMPLES // 2
        parts = self._window(number)[..., _AROUND_SAMPLES:-_AROUND_SAMPLES].clone()
        rise = (torch.arange(half) + half + 0.5) / _FADE_SAMPLES
        if number > 0:
            before = self._window(number - 1)[..., -_AROUND_SAMPLES:][..., :half]
            parts[..., :half] = parts[..., :half] * rise + before * (1.0 - rise)
        if self._goes_on(start + _SEGMENT_SAMPLES):
            after = self._window(number + 1)[..., :_AROUND_SAMPLES][..., -half:]
            fall = rise.flip(0)
            parts[..., -half:] = parts[..., -half:] * fall + after * (1.0 - fall)
        parts[self._engine.stems.index(_REST)] += whole - parts.sum(dim=0)
        return parts

    def _goes_on(self, position: int) -> bool:
        """Whether there is any sound in the next segment."""
        return bool(self._read(position, position + _SEGMENT_SAMPLES).any())

    def _window(self, number: int) -> torch.Tensor:
        if number not in self._kept:
            start = number * _SEGMENT_SAMPLES - _AROUND_SAMPLES
            end = (number + 1) * _SEGMENT_SAMPLES + _AROUND_SAMPLES
            self._kept[number] = self._engine.separate_window(self._read(start, end))
        return self._kept[number]


def _load(name: str, device: str) -> tuple[Any, str]:
    """A separator of the demucs package and the identity of its model."""
    from demucs.api import LoadModelError, Separator
    from demucs.repo import ModelLoadingError

    folder = demucs_files.local_folder()
    files = demucs_files.local_files(name, folder) if folder else []
    # No random shifts: the same sound gives the same stems, and a resumed job fits its beginning.
    make = partial(Separator, name, device=device, shifts=0, overlap=0.25, split=True)
    try:
        if files:
            return make(repo=folder), demucs_files.identity(name)
        with _hub(name):
            return make(), demucs_files.identity(name)
    except (LoadModelError, ModelLoadingError, OSError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"{name} cannot be loaded ({error}); put its files in the folder DEMUCS_DIR"
        ) from error


@contextmanager
def _hub(name: str) -> Iterator[None]:
    """The hub's cache if the model is in it, else the hub if it answers in a short time."""
    from huggingface_hub import constants

    if demucs_files.in_hub_cache(name):
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = True  # no question to the network about newer versions
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before
        return
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        pass  # an answer all the same
    except OSError as error:
        raise EngineUnavailable(
            f"{name} is not on this machine and the hub cannot be reached ({error}); put its files "
            "in the folder DEMUCS_DIR"
        ) from error
    yield
