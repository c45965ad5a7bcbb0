"""Decode any accepted sound file, once, in blocks, with bounded memory.

Everything goes through PyAV (FFmpeg's libraries). What a file is, is found by decoding it, never
by its name; :mod:`analysis.sound.opening` holds the limits that keep hostile files harmless.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
import numpy.typing as npt

from analysis.sound import refusals
from analysis.sound.opening import (
    audio_stream,
    bit_depth,
    breaks_off,
    container_name,
    declared_duration_s,
    is_lossless,
    layout_name,
    open_container,
    open_regular_file,
)
from analysis.sound.refusals import UndecodableAudio, clock

__all__ = ["AudioInfo", "AudioStream", "UndecodableAudio", "clock", "probe", "stream"]

logger = logging.getLogger(__name__)

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 192_000
MAX_CHANNELS = 8
SILENCE_PEAK = 10.0 ** (-90.0 / 20.0)
# Hot float mixes reach some +30 dBFS; integers written as floats begin near +90, and beyond +360
# the squares of single precision overflow.
LARGEST_PEAK = 10.0 ** (60.0 / 20.0)


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file is.

    ``duration_s`` is a header's promise or an estimate after :func:`probe`, and the decoded truth
    at the end of :func:`stream`. ``declared_duration_s`` is only set where a header states the
    length exactly. ``bit_depth`` is None for lossy codecs; ``bit_rate`` is in bit/s.
    """

    duration_s: float
    sample_rate: int
    channels: int
    channel_layout: str
    codec: str
    container: str
    bit_depth: int | None
    bit_rate: int | None
    lossless: bool
    declared_duration_s: float | None


def probe(
    path: str | os.PathLike[str], *, max_duration_s: float = 3600.0, min_duration_s: float = 1.0
) -> AudioInfo:
    """Look at a file and decode its first second: quick, also for a huge file.

    Raises
    ------
    UndecodableAudio
        If the file is certainly not usable. What only the whole decode can show (silence, an
        end that is missing in a format without exact lengths) is left to :func:`stream`.
    """
    with AudioStream(
        path, block_s=0.5, max_duration_s=max_duration_s, min_duration_s=min_duration_s
    ) as blocks:
        needed_s = max(1.0, min_duration_s)
        blocks.judges_silence = False
        for _ in blocks:
            if blocks.decoded_s >= needed_s:
                break
        return blocks.info


def stream(
    path: str | os.PathLike[str],
    *,
    block_s: float = 1.0,
    max_duration_s: float = 3600.0,
    min_duration_s: float = 1.0,
) -> AudioStream:
    """Iterate over a file's sound as float32 blocks of shape (channels, n) at its own rate.

    Integer PCM is scaled to [-1, 1); float PCM stays as it is and may exceed 1. All blocks but the
    last have the same length. ``.info.duration_s`` is exact once the iteration is over.

    Raises
    ------
    UndecodableAudio
        At once or while iterating: see the class for the codes.
    """
    return AudioStream(
        path, block_s=block_s, max_duration_s=max_duration_s, min_duration_s=min_duration_s
    )


class AudioStream(Iterator[npt.NDArray[np.float32]]):
    """The iterator behind :func:`stream`; also a context manager that closes the file."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        block_s: float,
        max_duration_s: float,
        min_duration_s: float,
    ) -> None:
        self._max_duration_s = max_duration_s
        self._min_duration_s = min_duration_s
        self.judges_silence = True
        self._samples = 0
        self._peak = 0.0
        self._bad_packets = 0
        self._packets = 0
        self._file = open_regular_file(path)
        self._container: Any = None
        try:
            self._container = open_container(self._file)
            self._stream = audio_stream(self._container)
            self._declared_s = declared_duration_s(self._file, self._container, self._stream)
            self._check_declared()
            self._frames = self._decoded_frames()
            self._first = next(self._frames, None)
            if self._first is None:
                raise refusals.broken()
            self.info = self._describe(self._first)
            self._block = max(1, round(block_s * self.info.sample_rate))
            self._blocks = self._joined()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> npt.NDArray[np.float32]:
        try:
            return next(self._blocks)
        except StopIteration:
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; further iteration is not possible."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self._file.close()

    @property
    def decoded_s(self) -> float:
        """Seconds decoded so far."""
        return self._samples / self.info.sample_rate

    def _check_declared(self) -> None:
        if self._declared_s is not None and self._declared_s > self._max_duration_s + 0.5:
            raise refusals.too_long(
                self._max_duration_s, f"it says it lasts {clock(self._declared_s)}"
            )

    def _describe(self, frame: av.AudioFrame) -> AudioInfo:
        rate, layout = frame.sample_rate, frame.layout
        channels = layout.nb_channels
        if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise refusals.unsupported_rate(rate)
        if not 1 <= channels <= MAX_CHANNELS:
            raise refusals.too_many_channels(channels, most=MAX_CHANNELS)
        codec = self._stream.codec_context.codec.name
        guessed_s = self._container.duration / av.time_base if self._container.duration else 0.0
        bit_rate = self._stream.bit_rate or self._container.bit_rate or None
        return AudioInfo(
            duration_s=float(self._declared_s or max(guessed_s, 0.0)),
            sample_rate=rate,
            channels=channels,
            channel_layout=layout_name(layout),
            codec=codec.removesuffix("float"),
            container=container_name(self._container.format.name),
            bit_depth=bit_depth(codec, self._stream.codec_context.extradata),
            bit_rate=int(bit_rate) if bit_rate else None,
            lossless=is_lossless(codec),
            declared_duration_s=self._declared_s,
        )

    def _decoded_frames(self) -> Iterator[av.AudioFrame]:
        """Frames of the chosen stream; single damaged packets are skipped, many are an error."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                logger.info("demuxing stopped early: %s", error)
                return
            self._packets += 1
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                self._bad_packets += 1
                logger.info("a damaged packet was skipped: %s", error)
                if self._bad_packets > 5 + 0.02 * self._packets:
                    raise refusals.broken() from error

    def _joined(self) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of equal length, checked; raises at the end what only the end can show."""
        block = np.empty((self.info.channels, self._block), dtype=np.float32)
        filled = 0
        frame = self._first
        self._first = None
        max_samples = round((self._max_duration_s + 0.5) * self.info.sample_rate)
        while frame is not None:
            sound = self._as_float(frame)
            at = 0
            while at < sound.shape[1]:
                n = min(sound.shape[1] - at, self._block - filled)
                block[:, filled : filled + n] = sound[:, at : at + n]
                filled += n
                at += n
                if filled == self._block:
                    yield self._checked(block, max_samples)
                    block = np.empty_like(block)
                    filled = 0
            frame = next(self._frames, None)
        if filled:
            yield self._checked(block[:, :filled], max_samples)
        self._finish()

    def _as_float(self, frame: av.AudioFrame) -> npt.NDArray[np.float32]:
        if frame.sample_rate != self.info.sample_rate:
            raise refusals.rate_changes()
        sound = _to_float32(frame)
        if sound.shape[0] == self.info.channels:
            return sound
        # A broadcast MP3 may switch between mono and stereo: keep the first frame's channels.
        return np.repeat(sound.mean(axis=0, keepdims=True), self.info.channels, axis=0)

    def _checked(self, block: npt.NDArray[np.float32], max_samples: int) -> npt.NDArray[np.float32]:
        peak = max(float(block.max()), -float(block.min()))
        if not np.isfinite(peak):
            raise refusals.not_finite(self.decoded_s)
        if peak > LARGEST_PEAK:
            raise refusals.too_hot(20.0 * math.log10(peak), self.decoded_s)
        self._peak = max(self._peak, peak)
        self._samples += block.shape[1]
        if self._samples > max_samples:
            raise refusals.too_long(
                self._max_duration_s, f"its sound goes on after {clock(self._max_duration_s)}"
            )
        return block

    def _finish(self) -> None:
        duration_s = self.decoded_s
        self.info = replace(self.info, duration_s=duration_s)
        declared_s = self.info.declared_duration_s
        if declared_s is not None and breaks_off(declared_s, duration_s):
            raise refusals.truncated(declared_s, duration_s)
        if duration_s < self._min_duration_s:
            raise refusals.too_short(duration_s, least_s=self._min_duration_s)
        if self.judges_silence and self._peak < SILENCE_PEAK:
            raise refusals.silent()


def _to_float32(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    sound = frame.to_ndarray()
    if not frame.format.is_planar:
        sound = sound.reshape(-1, frame.layout.nb_channels).T
    if sound.dtype == np.uint8:
        return (sound.astype(np.float32) - 128.0) * np.float32(1 / 128)
    if sound.dtype.kind == "i":
        scale = np.float32(2.0 ** (1 - 8 * sound.dtype.itemsize))
        return sound.astype(np.float32) * scale
    return sound.astype(np.float32, copy=False)
