"""Tags whose compressed frames would fill the memory: a megabyte that becomes a gigabyte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from mutagen.mp4 import MP4, MP4Cover

from analysis.sound.decode import probe, stream
from analysis.sound.tagless import TaglessFile, leading_tags_bytes
from catalog.tags import read_tags
from tests.analysis.sound.signals import encode, noise, write
from tests.memory import growth_kb

INFLATED_BYTES = 400 << 20
ALLOWED_KB = 100 << 10


def syncsafe(size: int) -> bytes:
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """An ID3v2.4 tag with one compressed text frame (flags: compression, data length)."""
    packer = zlib.compressobj(9)
    body = packer.compress(b"\x00")
    for _ in range(INFLATED_BYTES >> 20):
        body += packer.compress(b"A" * (1 << 20))
    body += packer.flush()
    # Both readings of the data length, FFmpeg's plain one and mutagen's syncsafe one, must do.
    body = struct.pack(">I", INFLATED_BYTES + 1) + body
    frame = b"TIT2" + syncsafe(len(body)) + b"\x00\x09" + body
    return b"ID3\x04\x00\x00" + syncsafe(len(frame)) + frame


def wav_with(tag: bytes, path: Path) -> Path:
    data = write(path, noise(2.0)).read_bytes()
    chunk = b"id3 " + struct.pack("<I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    path.write_bytes(data[:4] + struct.pack("<I", len(data) + len(chunk) - 8) + data[8:] + chunk)
    return path


def aiff_with(tag: bytes, path: Path) -> Path:
    data = write(path, noise(2.0)).read_bytes()
    chunk = b"ID3 " + struct.pack(">I", len(tag)) + tag + b"\0" * (len(tag) % 2)
    path.write_bytes(data[:4] + struct.pack(">I", len(data) + len(chunk) - 8) + data[8:] + chunk)
    return path


def mp3_with(tag: bytes, path: Path) -> Path:
    sound = encode(path, noise(2.0), codec="libmp3lame", container="mp3", layout="stereo")
    data = sound.read_bytes()
    path.write_bytes(tag + data[data.index(b"\xff\xfb") :])
    return path


def aac_with(tag: bytes, path: Path) -> Path:
    """Two stretches of ADTS frames with the tag between them."""
    data = encode(path, noise(2.0), codec="aac", container="adts", layout="stereo").read_bytes()
    path.write_bytes(data + tag + data)
    return path


def decoded_s(path: Path) -> float:
    with stream(path) as blocks:
        for _ in blocks:
            pass
    return blocks.info.duration_s


FILES = {"x.wav": wav_with, "x.aiff": aiff_with, "x.mp3": mp3_with, "x.aac": aac_with}


@pytest.mark.parametrize("name", FILES)
def test_decoding_does_not_inflate_tags(name, bomb, tmp_path):
    path = FILES[name](bomb, tmp_path / name)
    clean = FILES[name](b"", tmp_path / f"clean-{name}")

    assert growth_kb(lambda: probe(path)) < ALLOWED_KB
    assert growth_kb(lambda: decoded_s(path)) < ALLOWED_KB
    # Bytes between AAC frames can look like the beginning of one.
    assert decoded_s(path) == pytest.approx(decoded_s(clean), abs=0.1)


@pytest.mark.parametrize("name", ["x.wav", "x.aiff", "x.mp3"])
def test_reading_tags_does_not_inflate_them(name, bomb, tmp_path):
    path = FILES[name](bomb, tmp_path / name)
    assert growth_kb(lambda: read_tags(path)) < ALLOWED_KB


def test_a_cover_of_many_megabytes_is_not_read(tmp_path):
    path = encode(tmp_path / "x.m4a", noise(2.0), codec="aac", container="ipod", layout="stereo")
    wanted_s = decoded_s(path)
    audio = MP4(path)
    audio["covr"] = [MP4Cover(b"\x89PNG" + bytes(120 << 20))]
    audio.save()
    assert growth_kb(lambda: probe(path)) < ALLOWED_KB // 2
    assert decoded_s(path) == wanted_s


def test_sound_behind_leading_tags_is_the_same(tmp_path):
    plain = mp3_with(b"", tmp_path / "plain.mp3")
    tagged = tmp_path / "tagged.mp3"
    tag = b"ID3\x03\x00\x00" + syncsafe(300) + b"\0" * 300
    tagged.write_bytes(tag + tag + plain.read_bytes())
    with stream(plain) as blocks:
        wanted = np.concatenate(list(blocks), axis=1)
    with stream(tagged) as blocks:
        assert np.array_equal(np.concatenate(list(blocks), axis=1), wanted)


@pytest.mark.parametrize("piece", [1, 3, 7, 64, 1000])
def test_a_tag_is_hidden_wherever_reads_fall(piece, tmp_path):
    path = tmp_path / "x"
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x05hello"
    sound = bytes(range(200, 240)) + tag + b"ID3\xff\x00 is no tag" + bytes(50)
    path.write_bytes(tag + sound)
    with path.open("rb") as file:
        assert leading_tags_bytes(file) == len(tag)
        view = TaglessFile(file)
        seen = b""
        while part := view.read(piece):
            seen += part
        assert seen == sound.replace(b"ID3\x04", b"id-\x04")
        assert view.seek(-50, 2) == len(sound) - 50 == view.tell()
        assert view.seek(0) == 0
        view.hides_tags = False
        assert view.read(-1) == sound
