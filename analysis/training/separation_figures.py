"""How well an engine separates true multitracks, beside doing nothing and plain HPSS.

SDR as the Music Demixing Challenge counts it: the true stem's energy over that of the difference,
on the whole recording (Mitsufuji et al., "Music Demixing Challenge 2021", Frontiers in Signal
Processing 2022).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch

from analysis.neural.separation.accompaniment import percussive
from analysis.neural.separation.engine import Engine
from analysis.neural.separation.separate import separate
from analysis.neural.separation.spectra import (
    HOP,
    REACH_FRAMES,
    SAMPLE_RATE,
    padded_span,
    sound,
    spectra,
)

STEMS = ("vocals", "drums", "bass", "other")
_TINY = 1e-12
# Order of the streams in a file of Native Instruments' Stems format, with the mix first.
_NI_STREAMS = ("mixture", "drums", "bass", "other", "vocals")

Sound = npt.NDArray[np.float32]


class NotAMultitrack(ValueError):
    """A file or folder without a mix and its four stems; the message says what is missing."""


@dataclass(frozen=True)
class Multitrack:
    """A mix and its true stems, each (2, n) at 44.1 kHz."""

    name: str
    mixture: Sound
    stems: dict[str, Sound]


def read_multitrack(path: Path) -> Multitrack:
    """Read a multitrack.

    Parameters
    ----------
    path : a ``.stem.mp4`` of Native Instruments' Stems format, or a folder with ``mixture.wav``,
        ``vocals.wav``, ``drums.wav``, ``bass.wav`` and ``other.wav`` as MUSDB18-HQ has them

    Raises NotAMultitrack.
    """
    try:
        parts = _of_folder(path) if path.is_dir() else _of_stem_file(path)
    except (av.FFmpegError, soundfile.LibsndfileError, OSError) as error:
        raise NotAMultitrack(f"{path} cannot be read: {error}") from error
    length = min(part.shape[1] for part in parts.values())
    parts = {name: part[:, :length] for name, part in parts.items()}
    return Multitrack(path.name, parts.pop("mixture"), parts)


def separation_figures(track: Multitrack, engine: Engine) -> dict[str, dict[str, float]]:
    """SDR in dB by method (``nothing``, ``hpss``, the engine's name) and stem.

    What an engine gives beyond the four stems counts as *other*.
    """
    methods = {
        "nothing": dict.fromkeys(STEMS, track.mixture),
        "hpss": plain_hpss(track.mixture),
        engine.name: _separated(track, engine),
    }
    return {
        method: {name: round(sdr_db(track.stems[name], made[name]), 2) for name in STEMS}
        for method, made in methods.items()
    }


def sdr_db(true: Sound, made: Sound) -> float:
    """Energy of the true stem over that of the difference, in dB; both (channels, n)."""
    difference = true.astype(np.float64) - made
    energy = float(np.square(true, dtype=np.float64).sum())
    return 10.0 * float(np.log10((energy + _TINY) / (float(np.square(difference).sum()) + _TINY)))


def plain_hpss(mixture: Sound) -> dict[str, Sound]:
    """The percussive part of a mix (2, n) as drums, the harmonic part as every other stem."""
    length = mixture.shape[1]
    frames = -(-length // HOP) + 2 * REACH_FRAMES
    start, end = padded_span(-REACH_FRAMES, frames)
    padded = np.pad(mixture, ((0, 0), (-start, max(0, end - length))))[:, : end - start]
    mix = spectra(torch.from_numpy(np.ascontiguousarray(padded)))
    share = percussive(mix.abs().square().mean(dim=0).sqrt())
    drums = sound(mix * share)[:, :length].numpy()
    return {name: drums if name == "drums" else mixture - drums for name in STEMS}


def _separated(track: Multitrack, engine: Engine) -> dict[str, Sound]:
    with tempfile.TemporaryDirectory(prefix="svp-sdr-") as folder:
        files = separate(
            iter([track.mixture]),
            Path(folder),
            engine=engine,
            sample_rate=SAMPLE_RATE,
            title="mix",
            file_format="wav",
        ).files
        made = {name: _read(path) for name, path in files.items()}
    others = [made.pop(name) for name in list(made) if name not in STEMS[:3]]
    return {**made, "other": np.sum(others, axis=0)}


def _of_folder(folder: Path) -> dict[str, Sound]:
    missing = [name for name in ("mixture", *STEMS) if not (folder / f"{name}.wav").is_file()]
    if missing:
        raise NotAMultitrack(f"{folder} lacks {', '.join(f'{name}.wav' for name in missing)}")
    return {name: _read(folder / f"{name}.wav") for name in ("mixture", *STEMS)}


def _read(path: Path) -> Sound:
    frames, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return _stereo(frames.T, rate)


def _of_stem_file(path: Path) -> dict[str, Sound]:
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    if count != len(_NI_STREAMS):
        raise NotAMultitrack(f"{path} has {count} audio streams; a Stems file has five")
    return {name: _stream(path, number) for number, name in enumerate(_NI_STREAMS)}


def _stream(path: Path, number: int) -> Sound:
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        blocks = list(_blocks(container, stream))
        return _stereo(np.concatenate(blocks, axis=1), int(stream.rate))


def _blocks(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[Sound]:
    resampler = av.AudioResampler(format="fltp", layout="stereo")
    for frame in container.decode(stream):
        for part in resampler.resample(frame):
            yield np.asarray(part.to_ndarray(), dtype=np.float32)


def _stereo(channels: Sound, rate: int) -> Sound:
    stereo = np.broadcast_to(channels[:2], (2, channels.shape[1]))
    if rate != SAMPLE_RATE:
        stereo = soxr.resample(stereo.T, rate, SAMPLE_RATE).T
    return np.ascontiguousarray(stereo, np.float32)


def medians(rows: list[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Median SDR over tracks by method and stem."""
    return {
        method: {
            name: round(float(np.median([row[method][name] for row in rows])), 2) for name in STEMS
        }
        for method in rows[0]
    }
