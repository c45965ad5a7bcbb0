"""The equalised sound of a file as a WAV of 24 bit: sample rate and channels as they were.

Two decodes, none of which holds more than a second of sound: the first measures how long the
result is and how high it peaks, the second sends it. No network is involved, and no account.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.sound import wav
from analysis.sound.decode import AudioStream, stream
from analysis.sound.equaliser import Equaliser, Move
from analysis.sound.true_peak import TruePeakMeter

CEILING_DBTP = -1.0
"""Highest true peak of a render: beyond it, streaming services' encoders may distort."""


@dataclass(frozen=True)
class RenderPlan:
    """How a file will be rendered.

    ``match_db`` keeps the loudness, and ``lowered_db``, zero or less, then keeps the true peak
    under the ceiling of -1 dBTP.
    """

    sample_rate: int
    channel_layout: str
    channels: int
    n_samples: int
    match_db: float
    lowered_db: float

    @property
    def gain_db(self) -> float:
        """Change of level beside the filters, in dB."""
        return self.match_db + self.lowered_db


def plan_render(
    path: Path | str,
    moves: Sequence[Move],
    *,
    match_db: float,
    max_duration_s: float = 3600.0,
) -> RenderPlan:
    """Filter the whole file once to learn its length and true peak.

    Raises
    ------
    analysis.sound.decode.UndecodableAudio
        If the file cannot be used; the message is for the artist.
    """
    with opened(path, max_duration_s=max_duration_s) as blocks:
        info = blocks.info
        equaliser = Equaliser(moves, sample_rate=info.sample_rate, channels=info.channels)
        meter = TruePeakMeter(sample_rate=info.sample_rate, channels=info.channels)
        # Only what passes the ceiling matters, so the meter need not look at anything below it.
        allowed = 10.0 ** ((CEILING_DBTP - match_db) / 20.0)
        meter.true_peak = allowed
        n_samples = 0
        for block in blocks:
            n_samples += block.shape[1]
            meter.add(equaliser(block))
    return RenderPlan(
        sample_rate=info.sample_rate,
        channel_layout=info.channel_layout,
        channels=info.channels,
        n_samples=n_samples,
        match_db=match_db,
        lowered_db=20.0 * math.log10(allowed / meter.finish()),
    )


def wav_bytes(plan: RenderPlan, *, title: str = "", artist: str = "", comment: str = "") -> int:
    """How long the WAV is, with the texts in it."""
    length = plan.n_samples * plan.channels * wav.BYTES_PER_SAMPLE
    return len(_header(plan, title, artist, comment)) + length + length % 2


def render_wav(
    sound: AudioStream,
    moves: Sequence[Move],
    plan: RenderPlan,
    *,
    title: str = "",
    artist: str = "",
    comment: str = "",
) -> Iterator[bytes]:
    """The WAV of an :func:`opened` sound in pieces of a second, after the header with the texts;
    :func:`wav_bytes` in all."""
    yield _header(plan, title, artist, comment)
    factor = 10.0 ** (plan.gain_db / 20.0)
    equaliser = Equaliser(moves, sample_rate=plan.sample_rate, channels=plan.channels)
    for block in sound:
        yield wav.samples(equaliser(block) * factor)
    yield wav.padding(channels=plan.channels, n_samples=plan.n_samples)


def opened(path: Path | str, *, max_duration_s: float = 3600.0) -> AudioStream:
    """The sound of a file, to be closed by who asked. Raises UndecodableAudio."""
    return stream(path, block_s=1.0, max_duration_s=max_duration_s)


def _header(plan: RenderPlan, title: str, artist: str, comment: str) -> bytes:
    return wav.header(
        sample_rate=plan.sample_rate,
        channel_layout=plan.channel_layout,
        n_samples=plan.n_samples,
        title=title,
        artist=artist,
        comment=comment,
    )
