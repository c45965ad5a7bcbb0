"""A stretch of a vocal stem through the timbre simulation, alone or back among the other stems.

No network is involved, and seconds of sound only: the web process renders it while its artist
waits. NumPy and SciPy do the work.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.models import Report
from analysis.sound.timbre_simulation import Simulated, simulate
from analysis.sound.timbre_simulation.levels import hold_under, level_of
from analysis.stem_files import stem_path
from analysis.voice_settings import Wish
from catalog.models import Revision

VOICE_STEM = "vocals"
_SAFE_PEAK = 0.998
_DITHER_SEED = 20_263

Sound = npt.NDArray[np.float32]


class BeyondTheEnd(ValueError):
    """The stretch lies behind the end of the song."""


@dataclass(frozen=True)
class Preview:
    """FLAC of 16 bit, and how the voice alone was levelled: ``off_lu`` is by how much it is louder
    than before, ``limited_db`` what was taken off single peaks."""

    flac: bytes
    off_lu: float
    limited_db: float


def render_preview(revision: Revision, stems: Report, wish: Wish) -> Preview:
    """The stretch that a wish names, its voice changed or original.

    Both come out sample on sample: the same stretch, the same gain.

    Raises
    ------
    BeyondTheEnd
        If the stretch begins behind the end.
    analysis.stem_files.NoStems, FileNotFoundError
        If a stem is missing.
    """
    rate = int(stems.document["sample_rate"])
    names = [entry["name"] for entry in stems.document["stems"]]
    voice = _read_stem(revision, stems, VOICE_STEM, wish)
    if voice.shape[1] == 0:
        raise BeyondTheEnd
    done = None if wish.original else simulate(voice, rate, wish.recipe, wet=wish.wet)
    heard = voice if done is None else done.samples
    if wish.in_mix:
        rest = _sum(_read_stem(revision, stems, name, wish) for name in names if name != VOICE_STEM)
        dry = voice + rest
        heard = dry if done is None else hold_under(heard + rest, rate, level_of(dry, rate))
    else:
        dry = voice
    # Samples beyond full scale would be cut off; original and changed are lowered alike.
    gain = min(1.0, _SAFE_PEAK / max(float(np.abs(dry).max()), 1e-9))
    return Preview(_flac(_faded(heard * np.float32(gain), rate), rate), *_levelled(done))


def _levelled(done: Simulated | None) -> tuple[float, float]:
    if done is None or done.level.integrated_lufs is None or done.original.integrated_lufs is None:
        return 0.0, 0.0
    return done.level.integrated_lufs - done.original.integrated_lufs, done.limited_db


def _read_stem(revision: Revision, stems: Report, name: str, wish: Wish) -> Sound:
    with ExitStack() as held:
        path = held.enter_context(stem_path(revision, name, report=stems))
        return _read(path, wish.start_s, wish.seconds)


def _read(path: Path, start_s: float, seconds: float) -> Sound:
    """A stretch of a file, shape (channels, n); shorter, or empty, at its end."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        first = min(round(start_s * file.samplerate), file.frames)
        file.seek(first)
        read = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)
    return np.ascontiguousarray(read.T)


def _sum(sounds: Iterable[Sound]) -> Sound:
    total: Sound | None = None
    for sound in sounds:
        total = sound if total is None else total + sound
    return np.zeros((2, 0), dtype=np.float32) if total is None else total


def _faded(sound: Sound, rate: int) -> Sound:
    """Ten milliseconds in and out, so that a stretch neither begins nor ends with a click."""
    n = min(round(0.01 * rate), sound.shape[1] // 2)
    ramp = np.linspace(0.0, 1.0, n, dtype=np.float32)
    faded = sound.copy()
    faded[:, :n] *= ramp
    faded[:, sound.shape[1] - n :] *= ramp[::-1]
    return faded


def _flac(sound: Sound, rate: int) -> bytes:
    """Triangular dither of two steps, then 16 bit."""
    import soundfile

    draws = np.random.default_rng(_DITHER_SEED).random((2, *sound.shape), dtype=np.float32)
    steps = np.rint(sound * 32_768.0 + draws[0] - draws[1])
    file = io.BytesIO()
    whole = np.clip(steps, -32_768, 32_767).astype(np.int16)
    soundfile.write(file, whole.T, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
