"""Whatever is uploaded: a clear refusal or a correct decode, never a surprise."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from analysis.sound.decode import UndecodableAudio, probe, stream
from tests.analysis.sound.signals import encode, noise, write
from tests.hostile import wav_of_empty_chunks
from tests.process_io import bytes_read


def refusal(path: Path, **limits: float) -> UndecodableAudio:
    """The refusal that decoding the whole file ends in."""
    with pytest.raises(UndecodableAudio) as caught:
        for _ in stream(path, **limits):
            pass
    error = caught.value
    assert str(error) == error.message
    assert error.message.endswith(".")
    assert 20 < len(error.message) < 250
    assert str(path) not in error.message
    return error


def probed(path: Path, **limits: float) -> UndecodableAudio:
    with pytest.raises(UndecodableAudio) as caught:
        probe(path, **limits)
    return caught.value


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def video(path: Path, *, container: str) -> Path:
    with av.open(str(path), mode="w", format=container) as out:
        pictures = out.add_stream("flv" if container == "flv" else "mpeg4", rate=10)
        pictures.width = pictures.height = 64
        sound = out.add_stream("mp3" if container in ("avi", "flv") else "aac", rate=44_100)
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        out.mux(sound.encode(None))
    return path


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    assert probed(path).code == "empty"


def test_a_missing_file_and_a_folder(tmp_path):
    assert probed(tmp_path / "gone.wav").code == "not_found"
    assert probed(tmp_path).code in ("not_audio", "not_found")


@pytest.mark.parametrize(
    "content",
    [
        b"This is not music.\n" * 500,
        bytes(range(256)) * 100,
        b"\x00" * 50_000,
        b"%PDF-1.7\n" + b"x" * 5_000,
        b"\x89PNG\r\n\x1a\n" + b"x" * 5_000,
        b"PK\x03\x04" + b"x" * 5_000,
        b"MZ" + b"\x90" * 5_000,
    ],
    ids=["text", "bytes", "zeros", "pdf", "png", "zip", "exe"],
)
def test_something_else_with_the_name_of_a_song(tmp_path, content):
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert probed(path).code in ("not_audio", "broken")


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        "ffconcat version 1.0\nfile {target}\n",
        "file '{target}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "[playlist]\nFile1={target}\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{target}</BaseURL></Period></MPD>',
    ],
    ids=["hls", "hls-file", "ffconcat", "ffconcat-plain", "concat", "sdp", "pls", "dash"],
)
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp3", "list.ffconcat", "list.sdp"])
def test_a_playlist_cannot_make_the_decoder_open_another_file(
    tmp_path, monkeypatch, script, name, absolute
):
    monkeypatch.chdir(tmp_path)
    target = encode(
        tmp_path / "secret.aac", noise(3.0), codec="aac", container="adts", layout="stereo"
    )
    path = tmp_path / name
    path.write_text(script.format(target=target if absolute else target.name))
    assert probed(path).code == "not_audio"


def test_without_the_limits_a_playlist_would_open_another_file(tmp_path, monkeypatch):
    """What the limits are for: FFmpeg alone follows this script to the other file."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "secret.wav", noise(3.0))
    script = tmp_path / "song.mp3"
    script.write_text("ffconcat version 1.0\nfile secret.wav\n")
    with av.open(str(script)) as followed:
        assert followed.format.name == "concat"
        assert next(followed.decode(audio=0)).samples > 0
    assert probed(script).code == "not_audio"


def test_mov_references_to_other_files_are_not_followed(tmp_path):
    """An MP4 whose sound is said to lie in another file ('alis' data reference)."""
    path = encode(tmp_path / "x.m4a", noise(3.0), codec="aac", container="ipod", layout="stereo")
    data = path.read_bytes()
    assert b"url \x00\x00\x00\x01" in data
    path.write_bytes(data.replace(b"url \x00\x00\x00\x01", b"alis\x00\x00\x00\x00"))
    secret = write(tmp_path / "secret.wav", noise(3.0))
    try:
        decoded = np.concatenate(list(stream(path)), axis=1)
    except UndecodableAudio:
        return
    assert decoded.shape[1] <= 3.2 * 44_100
    assert secret.exists()


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "avi", "flv", "mpegts"])
def test_a_video_is_told_so(tmp_path, container):
    path = video(tmp_path / "clip.mp3", container=container)
    error = probed(path)
    assert error.code == "video"
    assert "export its sound" in error.message


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.aiff", "x.mp3"])
def test_a_file_that_breaks_off(tmp_path, name):
    path = cut(write(tmp_path / name, noise(10.0)), 0.5)
    error = refusal(path)
    assert error.code == "truncated"
    assert "0:10" in error.message
    assert "0:05" in error.message


def test_an_m4a_that_breaks_off(tmp_path):
    path = encode(tmp_path / "x.m4a", noise(8.0), codec="aac", container="ipod", layout="stereo")
    assert refusal(cut(path, 0.5)).code in ("truncated", "broken")


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.mp3", "x.ogg", "x.aiff"])
@pytest.mark.parametrize("size", [1, 3, 11, 40, 100])
def test_only_a_header_or_less(tmp_path, name, size):
    path = write(tmp_path / name, noise(2.0))
    path.write_bytes(path.read_bytes()[:size])
    assert probed(path).code in ("not_audio", "broken", "truncated", "too_short")


def test_a_header_that_promises_far_too_much(tmp_path):
    path = write(tmp_path / "x.wav", noise(5.0))
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 60 * 44_100 * 4)
    path.write_bytes(data)
    assert probed(path).code == "truncated"


def test_a_header_that_promises_less_than_there_is(tmp_path):
    path = write(tmp_path / "x.wav", noise(5.0))
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 2 * 44_100 * 4)
    path.write_bytes(data)
    with stream(path) as blocks:
        assert sum(block.shape[1] for block in blocks) == 2 * 44_100


def test_one_sample(tmp_path):
    error = refusal(write(tmp_path / "x.wav", np.full((2, 1), 0.5, np.float32)))
    assert error.code == "too_short"


def test_no_samples(tmp_path):
    path = write(tmp_path / "x.wav", np.empty((2, 0), np.float32))
    assert refusal(path).code in ("too_short", "broken")


def test_half_a_second_is_too_short_already_for_the_probe(tmp_path):
    assert probed(write(tmp_path / "x.wav", noise(0.5))).code == "too_short"


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.ogg"])
def test_silence(tmp_path, name):
    path = write(tmp_path / name, np.zeros((2, 3 * 44_100), np.float32))
    assert refusal(path).code == "silent"


def test_noise_below_hearing_is_silence_but_a_faint_sound_is_not(tmp_path):
    faint = noise(2.0) / np.abs(noise(2.0)).max()
    silent = write(tmp_path / "a.wav", faint * np.float32(10**-4.75), subtype="FLOAT")
    assert refusal(silent).code == "silent"
    heard = write(tmp_path / "b.wav", faint * np.float32(10**-4.0), subtype="FLOAT")
    assert len(list(stream(heard))) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at_s", [0.1, 4.9])
def test_samples_that_are_no_numbers(tmp_path, value, at_s):
    sound = noise(5.0)
    sound[1, int(at_s * 44_100)] = value
    path = write(tmp_path / "x.wav", sound, subtype="FLOAT")
    error = refusal(path)
    assert error.code == "not_finite"
    assert "0:0" in error.message


def test_floats_that_no_mix_can_mean(tmp_path):
    """Integers written as floats, and what would overflow the squares of single precision."""
    hot = write(tmp_path / "a.wav", noise(2.0) * np.float32(100.0), subtype="FLOAT")
    assert len(list(stream(hot))) == 2
    scaled = write(tmp_path / "b.wav", noise(2.0) * np.float32(32_768.0), subtype="FLOAT")
    assert probed(scaled).code == "too_hot"
    spike = noise(5.0)
    spike[1, int(3.5 * 44_100)] = -1e20
    error = refusal(write(tmp_path / "c.wav", spike, subtype="FLOAT"))
    assert error.code == "too_hot"
    assert "400 dB above full scale near 0:03" in error.message


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    assert probed(tmp_path / "x.wav").code == "not_audio"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["VORBIS", "OPUS"])
def test_an_ogg_that_breaks_off(tmp_path, kind, share):
    path = write(tmp_path / "x.ogg", noise(10.0, rate=48_000), rate=48_000, subtype=kind)
    assert len(list(stream(path))) == 10
    assert probed(cut(path, share)).code == "truncated"


def test_an_ogg_recorded_from_a_stream_needs_no_end(tmp_path):
    """Cut between two pages, without the flag that says that the stream ends."""
    path = write(tmp_path / "x.ogg", noise(10.0))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"OggS")])
    assert len(list(stream(path))) >= 5


@pytest.mark.parametrize("tag", [b"drms", b"enca"])
def test_protected_sound(tmp_path, tag):
    path = encode(tmp_path / "x.m4a", noise(2.0), codec="aac", container="ipod", layout="stereo")
    path.write_bytes(path.read_bytes().replace(b"mp4a", tag))
    assert probed(path).code == "protected"


def test_ten_channels(tmp_path):
    error = probed(write(tmp_path / "x.wav", noise(2.0, channels=10)))
    assert error.code == "too_many_channels"
    assert "10 channels" in error.message


@pytest.mark.parametrize("rate", [4_000, 7_999, 384_000])
def test_a_rate_outside_the_limits(tmp_path, rate):
    error = probed(write(tmp_path / "x.wav", noise(2.0, rate=rate), rate=rate))
    assert error.code == "unsupported_rate"
    assert f"{rate:,}" in error.message


def test_hours_of_silence_in_a_tiny_flac_are_refused_by_the_header(tmp_path):
    path = write(tmp_path / "x.flac", np.zeros((1, 3 * 3600 * 8_000), np.float32), rate=8_000)
    assert path.stat().st_size < 1_000_000
    error = probed(path)
    assert error.code == "too_long"
    assert "3:00:00" in error.message


def test_a_header_that_hides_the_length_does_not_help(tmp_path):
    path = write(tmp_path / "x.flac", noise(30.0, rate=8_000, channels=1), rate=8_000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert refusal(path, max_duration_s=10.0).code == "too_long"


def test_bit_rot_in_the_middle_of_a_flac_is_found(tmp_path):
    path = write(tmp_path / "x.flac", noise(10.0))
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(3)
    for at in generator.integers(5_000, len(data), 3_000):
        data[at] ^= 0xFF
    path.write_bytes(data)
    assert refusal(path).code in ("broken", "truncated")


def test_junk_at_the_end_of_an_mp3_is_forgiven(tmp_path):
    path = write(tmp_path / "x.mp3", noise(5.0))
    path.write_bytes(path.read_bytes() + b"APETAGEX" + b"junk" * 500)
    with stream(path) as blocks:
        seconds = sum(block.shape[1] for block in blocks) / 44_100
    assert seconds == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fetc%2fpasswd.wav",
        'it\'s a "song".wav',
        "-i -y --help.wav",
        "concat:a.wav|b.wav",
        "http:",
        "file:secret.wav",
        "data:audio,x.wav",
        "crypto+file:x.wav",
        "\U0001f3b5\U0001f525 песня.wav",
        "x" * 251 + ".wav",
        "%d%05d%s.wav",
        "$(touch pwned);`id`.wav",
        " leading and trailing .wav ",
        "line\nbreak.wav",
        "no_extension",
        "song.m3u8",
    ],
)
def test_a_name_is_only_a_name(tmp_path, name):
    path = write(tmp_path / "plain.wav", noise(1.5)).rename(tmp_path / name)
    assert probe(path).duration_s == pytest.approx(1.5)
    assert {entry.name for entry in tmp_path.iterdir()} == {name}


def test_a_relative_path_that_looks_like_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("plain.wav"), noise(1.5)).rename("concat:a.wav")
    assert probe("concat:a.wav").duration_s == pytest.approx(1.5)


def test_a_name_of_three_hundred_letters_or_with_a_nul_cannot_exist(tmp_path):
    assert probed(tmp_path / ("x" * 300 + ".wav")).code == "not_found"
    assert probed(tmp_path / "a\0b.wav").code == "not_found"


def test_parts_without_end_beside_the_sound(tmp_path):
    """FFmpeg alone would step through them one by one; some hundreds are nothing special."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav_of_empty_chunks(500))
    assert probe(path).duration_s == pytest.approx(2.0)
    path.write_bytes(wav_of_empty_chunks(1_000_000))
    before = bytes_read()
    assert probed(path).code == "overloaded"
    assert bytes_read() - before < path.stat().st_size / 4


def test_a_cover_picture_is_no_video(tmp_path):
    path = write(tmp_path / "x.mp3", noise(2.0))
    cover = bytes([0xFF, 0xD8, 0xFF, 0xE0]) + bytes(300)
    body = b"\x00image/jpeg\x00\x03\x00" + cover
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\x00\x00" + body
    size = len(frame)
    sync_safe = bytes([(size >> shift) & 0x7F for shift in (21, 14, 7, 0)])
    path.write_bytes(b"ID3\x03\x00\x00" + sync_safe + frame + path.read_bytes())
    with stream(path) as blocks:
        assert sum(block.shape[1] for block in blocks) == pytest.approx(2 * 44_100, abs=3_000)


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.mp3", "x.ogg", "x.aiff", "x.m4a"])
def test_damaged_bytes_end_in_a_refusal_or_in_finite_sound(tmp_path, name):
    if name.endswith("m4a"):
        path = encode(tmp_path / name, noise(2.0), codec="aac", container="ipod", layout="stereo")
    else:
        path = write(tmp_path / name, noise(2.0))
    whole = path.read_bytes()
    generator = np.random.default_rng(7)
    outcomes = set()
    for round_number in range(40):
        data = bytearray(whole)
        span = 200 if round_number % 2 else len(data)
        for at in generator.integers(0, span, 1 + round_number):
            data[at] = int(generator.integers(256))
        path.write_bytes(data)
        try:
            for block in stream(path):
                assert np.isfinite(block).all()
            outcomes.add("decoded")
        except UndecodableAudio as error:
            outcomes.add(error.code)
    assert outcomes - {"decoded"}
