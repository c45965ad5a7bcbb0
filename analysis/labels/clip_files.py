"""Clips' files in the private storage: the sound and its picture.

Files are named by what they are cut from, under a key that only this site knows: a name cannot be
guessed, and cutting the same stretch again after a crash writes over what is there.
"""

from __future__ import annotations

import hashlib
import io
import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.crypto import salted_hmac

from analysis.labels.models import VoiceClip
from analysis.sound.voice.measures import RATE_HZ
from analysis.stem_files import local_file

FOLDER = "clips"
SOUND, PICTURE = "voice.flac", "spectrogram.png"

LEVEL_DBFS = -20.0
_CEILING = 10.0 ** (-1.0 / 20.0)


@dataclass(frozen=True)
class EncodedClip:
    """A clip as FLAC, with its picture; ``gain_db`` is by how much it was made louder, so that all
    clips are about as loud as each other."""

    flac: bytes
    png: bytes
    gain_db: float

    @property
    def content_sha256(self) -> str:
        """Checksum of the FLAC."""
        return hashlib.sha256(self.flac).hexdigest()


@dataclass(frozen=True)
class ClipFiles:
    """What was written of one clip: name of the sound in the storage, checksum of its FLAC, and by
    how much it was made louder."""

    file: str
    content_sha256: str
    gain_db: float


def folder_of(key: str) -> str:
    """Folder in the storage of the clip that ``key`` names."""
    token = salted_hmac("analysis.labels.clip", key, algorithm="sha256").hexdigest()
    return f"{FOLDER}/{token[:2]}/{token[2:50]}"


def encode_clip(samples: npt.NDArray[np.floating]) -> EncodedClip:
    """Encode a clip, mono (n,) at 32 kHz: FLAC of 16 bits, brought to a level of -20 dBFS (RMS) as
    far as its peaks allow, and its spectrogram. The same samples give the same bytes."""
    from analysis.labels.spectrogram import clip_spectrogram_png

    levelled, gain_db = _levelled(np.asarray(samples, dtype=np.float32))
    return EncodedClip(_flac(levelled), clip_spectrogram_png(levelled), round(gain_db, 2))


def write_clip(clip: EncodedClip, *, key: str) -> ClipFiles:
    """Write a clip and its picture into the storage; files of that key are written anew."""
    folder = folder_of(key)
    _write(f"{folder}/{PICTURE}", clip.png)
    _write(f"{folder}/{SOUND}", clip.flac)
    return ClipFiles(f"{folder}/{SOUND}", clip.content_sha256, clip.gain_db)


def store_clip(
    samples: npt.NDArray[np.floating],
    *,
    key: str,
    singer: str,
    start_s: float = 0.0,
    end_s: float | None = None,
    facts: dict[str, Any] | None = None,
    **fields: Any,
) -> VoiceClip:
    """Write a clip, mono (n,) at 32 kHz, and enter it. ``fields`` are columns of
    :class:`~analysis.labels.models.VoiceClip`; ``name`` and ``lot`` are made where not given."""
    files = write_clip(encode_clip(samples), key=key)
    fields.setdefault("name", clip_name(key))
    fields.setdefault("lot", random.SystemRandom().random())
    return VoiceClip.objects.create(
        singer=singer,
        start_s=start_s,
        end_s=start_s + len(samples) / RATE_HZ if end_s is None else end_s,
        file=files.file,
        content_sha256=files.content_sha256,
        facts={"gain_db": files.gain_db, **(facts or {})},
        **fields,
    )


def clip_name(key: str) -> str:
    """The name under which a clip is imported and exported; it says nothing about whose it is."""
    return f"voice-{hashlib.sha256(key.encode()).hexdigest()[:20]}.flac"


def clip_path(clip: VoiceClip) -> AbstractContextManager[Path]:
    """A local path at which a clip's FLAC can be read, whichever storage holds it.

    Raises FileNotFoundError on entering, if the storage has lost it.
    """
    return local_file(clip.file)


def read_clip(clip: VoiceClip) -> npt.NDArray[np.float32]:
    """A clip's sound, mono (n,) at 32 kHz. Raises FileNotFoundError."""
    import soundfile

    with clip_path(clip) as path:
        samples, _ = soundfile.read(path, dtype="float32")
    return np.ascontiguousarray(samples)


def picture_name(clip: VoiceClip) -> str:
    """Name of a clip's spectrogram in the storage."""
    return f"{clip.file.rpartition('/')[0]}/{PICTURE}"


def delete_clip(clip: VoiceClip) -> None:
    """Delete a clip with its ballots; its files go once that is committed."""
    clip.delete()


def delete_files(sound: str) -> None:
    """Remove a clip's files from the storage, whether or not they are there."""
    folder = sound.rpartition("/")[0]
    default_storage.delete(sound)
    default_storage.delete(f"{folder}/{PICTURE}")
    # On a disk an empty folder remains, and Django's storage removes it like a file.
    default_storage.delete(folder)


def _levelled(sound: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], float]:
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    peak = float(np.abs(sound).max())
    if rms <= 0.0:
        return sound, 0.0
    gain = min(10.0 ** (LEVEL_DBFS / 20.0) / rms, _CEILING / peak)
    return sound * np.float32(gain), 20.0 * float(np.log10(gain))


def _flac(sound: npt.NDArray[np.float32]) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _write(name: str, content: bytes) -> None:
    # Saving beside what is there would give another name.
    default_storage.delete(name)
    default_storage.save(name, ContentFile(content))
