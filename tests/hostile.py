"""Files that somebody uploads by mistake or by malice, made when the tests run.

Every :class:`HostileFile` says how it is called, what it holds, and what must come of it: it is
heard, or refused for one of the named reasons with the named words.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import mutagen.id3
import numpy as np
import soundfile
from mutagen.flac import FLAC, Picture
from PIL import Image

from tests.analysis.sound.signals import Array, encode, noise

Maker = Callable[[], bytes]
GARBAGE = frozenset({"not_audio", "broken"})


@dataclass(frozen=True)
class HostileFile:
    """A file and what must come of it.

    ``codes`` holds the reasons for which it may be refused; empty: it must be heard. ``words`` must
    stand in the refusal. ``folder`` is what a browser says about where a dropped file lay. A file
    that is refused ``late`` looks good at its beginning.
    """

    slug: str
    name: str
    make: Maker
    codes: frozenset[str] = frozenset()
    words: str = ""
    folder: str = ""
    late: bool = False

    @property
    def heard(self) -> bool:
        return not self.codes


def sound_bytes(sound: Array, *, kind: str = "WAV", rate: int = 44_100, **options: str) -> bytes:
    """(channels, n) in a container of libsndfile's."""
    out = io.BytesIO()
    soundfile.write(out, sound.T, rate, format=kind, **options)
    return out.getvalue()


def encoded(sound: Array, *, codec: str, container: str, rate: int = 44_100) -> bytes:
    """(2, n) encoded by FFmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        encode(path, sound, codec=codec, container=container, rate=rate, layout="stereo")
        return path.read_bytes()


def _cut(make: Maker, share: float) -> Maker:
    def half() -> bytes:
        data = make()
        return data[: int(len(data) * share)]

    return half


def _patched(make: Maker, at: int, value: bytes) -> Maker:
    def changed() -> bytes:
        data = bytearray(make())
        data[at : at + len(value)] = value
        return bytes(data)

    return changed


def wav(seconds: float = 2.0, *, seed: int = 1, rate: int = 44_100, channels: int = 2) -> Maker:
    """A 16-bit WAV of noise; each seed another content."""
    return lambda: sound_bytes(
        noise(seconds, seed=seed, rate=rate, channels=channels), rate=rate, subtype="PCM_16"
    )


def _flac(seconds: float = 2.0, *, seed: int = 2) -> bytes:
    return sound_bytes(noise(seconds, seed=seed), kind="FLAC")


def _mp3(seconds: float = 2.0, *, seed: int = 3) -> bytes:
    return sound_bytes(noise(seconds, seed=seed), kind="MP3")


def _m4a(seconds: float = 2.0, *, seed: int = 4) -> bytes:
    return encoded(noise(seconds, seed=seed), codec="aac", container="ipod")


def _floats(change: Callable[[Array], None], *, seed: int) -> Maker:
    def make() -> bytes:
        sound = noise(2.0, seed=seed)
        change(sound)
        return sound_bytes(sound, subtype="FLOAT")

    return make


def _set(value: float) -> Callable[[Array], None]:
    def change(sound: Array) -> None:
        sound[0, 50_000] = value

    return change


def _scale(factor: float) -> Callable[[Array], None]:
    def change(sound: Array) -> None:
        sound *= np.float32(factor)

    return change


def _flac_total(samples: int, make: Maker) -> Maker:
    """A FLAC whose STREAMINFO promises another number of samples (36 bits from byte 21)."""

    def changed() -> bytes:
        data = bytearray(make())
        assert data[:4] == b"fLaC"
        data[21] = (data[21] & 0xF0) | (samples >> 32)
        data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
        return bytes(data)

    return changed


@cache
def _long_silence() -> bytes:
    """Three hours of nothing in about 90 kB."""
    return sound_bytes(np.zeros((1, 3 * 3600 * 8_000), np.float32), kind="FLAC", rate=8_000)


def _long_noise() -> bytes:
    """61 minutes of faint noise, one block again and again."""
    block = (0.0005 * np.random.default_rng(5).standard_normal((1, 8_000 * 61))).astype(np.float32)
    return sound_bytes(np.tile(block, 60), kind="FLAC", rate=8_000)


def _video() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        with av.open(str(path), mode="w", format="mp4") as out:
            pictures = out.add_stream("mpeg4", rate=10)
            pictures.width = pictures.height = 64
            sound = out.add_stream("aac", rate=44_100, layout="stereo")
            for _ in range(20):
                picture = av.VideoFrame.from_ndarray(
                    np.zeros((64, 64, 3), np.uint8), format="rgb24"
                )
                out.mux(pictures.encode(picture))
            out.mux(pictures.encode(None))
            frame = av.AudioFrame.from_ndarray(
                np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
            )
            frame.sample_rate = 44_100
            out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
        return path.read_bytes()


def _zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.wav", bytes(20_000_000))
    return out.getvalue()


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "red").save(out, "JPEG")
    return out.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(9_999)))
        + chunk(b"IEND", b"")
    )


def _cover_of_odd_exif() -> bytes:
    """A JPEG to be turned upright whose EXIF holds a text where numbers belong."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 50
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(out, "JPEG", exif=exif.tobytes())
    return out.getvalue().replace(b"\x01\x0e\x00\x02", b"\x01\x17\x00\x02")


def wav_of_empty_chunks(count: int) -> bytes:
    """A good WAV whose sound comes after ``count`` chunks of nothing."""
    plain = wav(seed=39)()
    body = plain[8:36] + b"junk\0\0\0\0" * count + plain[36:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3_of_tiny_frames(count: int) -> bytes:
    """A good MP3 behind an ID3v2.3 tag of ``count`` frames."""
    tag = b"TXXX\0\0\0\x03\0\0\0a\0" * count
    size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + tag + _mp3(seed=40)


def flac_with_cover(cover: bytes, *, seed: int, title: str = "", **tags: str) -> bytes:
    """A FLAC with a front cover and Vorbis comments."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.flac"
        path.write_bytes(_flac(seed=seed))
        audio = FLAC(path)
        picture = Picture()
        picture.data, picture.mime, picture.type = cover, "image/png", 3
        audio.add_picture(picture)
        for name, value in {"title": title, **tags}.items():
            audio[name] = value
        audio.save()
        return path.read_bytes()


def _mp3_with(*frames: mutagen.id3.Frame, seed: int) -> Maker:
    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.mp3"
            path.write_bytes(_mp3(seed=seed))
            tags = mutagen.id3.ID3()
            for frame in frames:
                tags.add(frame)
            tags.save(path)
            return path.read_bytes()

    return make


def _id3_then_garbage() -> bytes:
    generator = np.random.default_rng(6)
    body = generator.integers(0, 255, 20_000, dtype=np.uint8).tobytes()
    return b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + body


def _protected_m4a() -> bytes:
    """An M4A whose sound is said to be encrypted, as shops sell it."""
    return _m4a(seed=7).replace(b"mp4a", b"drms")


def _ac3_in_mp4() -> bytes:
    return encoded(noise(2.0, seed=8), codec="ac3", container="mp4")


def _ogg() -> bytes:
    return sound_bytes(noise(4.0, seed=9), kind="OGG", subtype="VORBIS")


def _text() -> bytes:
    return b"Verse one: this is not sound, whatever my name says.\n" * 200


def _random() -> bytes:
    return np.random.default_rng(11).integers(0, 256, 60_000, dtype=np.uint8).tobytes()


def _refused(*codes: str) -> frozenset[str]:
    return frozenset(codes)


_WAV_DATA_SIZE_AT = 40

CONTENTS: tuple[HostileFile, ...] = (
    HostileFile("empty", "empty.wav", lambda: b"", _refused("empty"), "0 bytes"),
    HostileFile(
        "wav_cut", "cut.wav", _cut(wav(8.0), 0.5), _refused("truncated"), "0:08, but only 0:04"
    ),
    HostileFile(
        "flac_cut", "cut.flac", _cut(lambda: _flac(8.0), 0.5), _refused("truncated"), "breaks off",
        late=True,
    ),
    HostileFile(
        "mp3_cut", "cut.mp3", _cut(lambda: _mp3(8.0), 0.5), _refused("truncated"), "breaks off",
        late=True,
    ),
    HostileFile(
        "m4a_cut", "cut.m4a", _cut(lambda: _m4a(8.0), 0.5), _refused("broken", "truncated"),
        "again",
    ),
    HostileFile(
        "ogg_cut", "cut.ogg", _cut(_ogg, 0.6), _refused("truncated"), "breaks off"
    ),
    HostileFile(
        "wav_header_only", "header.wav", _cut(wav(), 44 / 352_844), GARBAGE | {"truncated"}
    ),
    HostileFile("text_named_mp3", "lyrics.mp3", _text, _refused("not_audio"), "not a sound file"),
    HostileFile(
        "one_sample", "one.wav",
        lambda: sound_bytes(np.full((2, 1), 0.5, np.float32)), _refused("too_short"), "0.00 s",
    ),
    HostileFile(
        "silence", "silence.wav", lambda: sound_bytes(np.zeros((2, 132_300), np.float32)),
        _refused("silent"), "silent from start to end", late=True,
    ),
    HostileFile(
        "nan", "nan.wav", _floats(_set(np.nan), seed=21), _refused("not_finite"), "not numbers",
        late=True,
    ),
    HostileFile(
        "infinite", "inf.wav", _floats(_set(np.inf), seed=22), _refused("not_finite"),
        "not numbers", late=True,
    ),
    HostileFile("hot_floats", "hot.wav", _floats(_scale(100.0), seed=23)),
    HostileFile(
        "floats_of_1e30", "hotter.wav", _floats(_scale(1e30), seed=24), _refused("too_hot"),
        "dB above full scale",
    ),
    HostileFile(
        "one_float_of_1e20", "spike.wav", _floats(_set(1e20), seed=20), _refused("too_hot"),
        "400 dB above full scale near 0:01", late=True,
    ),
    HostileFile(
        "integers_as_floats", "scaled.wav", _floats(_scale(32_768.0), seed=19),
        _refused("too_hot"), "dB above full scale",
    ),
    HostileFile("eight_channels", "surround.wav", wav(seed=25, channels=8)),
    HostileFile("rate_192k", "fine.wav", wav(1.5, seed=26, rate=192_000)),
    HostileFile("rate_8k_mono", "phone.wav", wav(seed=27, rate=8_000, channels=1)),
    HostileFile(
        "bits_24", "mix24.wav", lambda: sound_bytes(noise(2.0, seed=28), subtype="PCM_24")
    ),
    HostileFile(
        "nine_channels", "nine.wav", wav(channels=9), _refused("too_many_channels"), "9 channels"
    ),
    HostileFile(
        "rate_4k", "low.wav", wav(rate=4_000), _refused("unsupported_rate"), "4,000 Hz"
    ),
    HostileFile(
        "rate_384k", "high.wav", wav(rate=384_000), _refused("unsupported_rate"), "384,000 Hz"
    ),
    HostileFile("video", "clip.mp4", _video, _refused("video"), "export its sound"),
    HostileFile(
        "wav_size_zero", "streamed0.wav", _patched(wav(seed=29), _WAV_DATA_SIZE_AT, bytes(4))
    ),
    HostileFile(
        "wav_size_ffffffff", "streamed.wav",
        _patched(wav(seed=30), _WAV_DATA_SIZE_AT, b"\xff\xff\xff\xff"),
    ),
    HostileFile(
        "wav_size_too_large", "promises.wav",
        _patched(wav(seed=31), _WAV_DATA_SIZE_AT, struct.pack("<I", 60 * 176_400)),
        _refused("truncated"), "1:00, but only 0:02",
    ),
    HostileFile("flac_total_zero", "endless.flac", _flac_total(0, lambda: _flac(seed=32))),
    HostileFile(
        "flac_total_too_large", "promises.flac", _flac_total(441_000, lambda: _flac(seed=33)),
        _refused("truncated"), "0:10, but only 0:02", late=True,
    ),
    HostileFile(
        "flac_total_too_small", "modest.flac", _flac_total(60_000, lambda: _flac(seed=34))
    ),
    HostileFile(
        "three_hours_of_silence", "tiny.flac", _long_silence, _refused("too_long"), "3:00:00"
    ),
    HostileFile(
        "an_hour_and_a_minute", "set.flac", _long_noise, _refused("too_long"), "1:01:00"
    ),
    HostileFile(
        "playlist", "list.mp3",
        lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n",
        _refused("not_audio"), "not a sound file",
    ),
    HostileFile(
        "ffconcat", "song.wav", lambda: b"ffconcat version 1.0\nfile /etc/hostname\n",
        _refused("not_audio"), "not a sound file",
    ),
    HostileFile("zip_bomb", "album.wav", _zip_bomb, _refused("not_audio"), "not a sound file"),
    HostileFile("jpeg", "cover.flac", _jpeg, _refused("not_audio"), "not a sound file"),
    HostileFile("random_bytes", "noise.ogg", _random, GARBAGE),
    HostileFile("id3_then_garbage", "tagged.mp3", _id3_then_garbage, GARBAGE),
    HostileFile(
        "gigantic_cover", "heavy.mp3",
        _mp3_with(
            mutagen.id3.APIC(mime="image/png", type=3, data=bytes(8_000_000)),
            mutagen.id3.TIT2(text="Heavy"), seed=35,
        ),
        folder="Covers",
    ),
    HostileFile(
        "tags_of_nul_and_novels", "novel.mp3",
        _mp3_with(
            mutagen.id3.TIT2(encoding=3, text="\u202e<b>x</b>" + "A\n" * 50_000),
            mutagen.id3.TALB(encoding=3, text="\0\0\0"),
            mutagen.id3.TRCK(encoding=3, text="99999999999999999999/\0"),
            mutagen.id3.TDRC(encoding=3, text="0000-99-99"),
            mutagen.id3.TSRC(encoding=3, text="\x01" * 10_000),
            mutagen.id3.COMM(encoding=3, text="c" * 500_000),
            seed=36,
        ),
        folder="Tags",
    ),
    HostileFile(
        "cover_bomb", "bomb.flac",
        lambda: flac_with_cover(png_of_size(60_000, 60_000), seed=37), folder="Bombs",
    ),
    HostileFile(
        "broken_cover", "torn.flac",
        lambda: flac_with_cover(png_of_size(300, 300)[:-30], seed=38), folder="Torn",
    ),
    HostileFile(
        "cover_of_odd_exif", "exif.flac",
        lambda: flac_with_cover(_cover_of_odd_exif(), seed=41), folder="Exif",
    ),
    HostileFile(
        "a_million_chunks", "chunks.wav", lambda: wav_of_empty_chunks(1_000_000),
        _refused("overloaded"), "empty parts",
    ),
    HostileFile("a_million_tags", "frames.mp3", lambda: mp3_of_tiny_frames(1_000_000)),
    HostileFile(
        "protected", "bought.m4a", _protected_m4a, _refused("protected"), "copy-protected",
    ),
    HostileFile(
        "ac3", "film.mp4", _ac3_in_mp4, _refused("unsupported_codec"), "WAV, FLAC or MP3"
    ),
)  # fmt: skip
"""What the content does, under a harmless name."""


def _named(slug: str, name: str, seed: int) -> HostileFile:
    return HostileFile(slug, name, wav(1.2, seed=seed, rate=16_000, channels=1))


NAMES: tuple[HostileFile, ...] = tuple(
    _named(slug, name, 100 + number)
    for number, (slug, name) in enumerate(
        {
            "path_parts": "../../etc/passwd",
            "windows_path": "C:\\x\\y.wav",
            "quotes": 'it\'s "my" `song`.wav',
            "emoji": "\U0001f3b5 \U0001f468\u200d\U0001f469\u200d\U0001f467.wav",
            "three_hundred_letters": "x" * 300 + ".wav",
            "control_characters": "a\x00b\x07c\r\nd\x1b[31m.wav",
            "leading_dash": "-rf --help.wav",
            "right_to_left": "harmless\u202evaw.exe.wav",
            "html": "<img src=x onerror=alert(1)><script>alert(2)<\uff0fscript>.wav",
            "template": "{{ 7*7 }}{% now %}.wav",
            "dots": "..",
            "percent": "%2e%2e%2f%00%s%n.wav",
            "header": "song.wav\r\nSet-Cookie: x=y",
            "lone_surrogate_as_bytes": "a\ufffd\ufffdb.wav",
        }.items()
    )
)
"""Good sounds under names that want to be something else."""

ALL = CONTENTS + NAMES
