"""The rendered file: its format, its response, its level and its peaks."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from scipy import signal

from analysis.equaliser_render import CEILING_DBTP, opened, plan_render, render_wav, wav_bytes
from analysis.sound import wav
from analysis.sound.equaliser import Move, response_db

RATE = 44_100
MOVES = [
    Move("low_shelf", 80.0, 3.0),
    Move("bell", 310.0, -2.0, 1.2),
    Move("bell", 2_900.0, 2.5, 2.0),
    Move("high_shelf", 8_000.0, -3.0),
]


def rendered(path: Path, out: Path, *, match_db: float = 0.0, moves=MOVES):
    plan = plan_render(path, moves, match_db=match_db)
    texts = {"title": "Lemon", "artist": "Žofie", "comment": "+3 dB"}
    with opened(path) as sound:
        pieces = list(render_wav(sound, moves, plan, **texts))
    out.write_bytes(b"".join(pieces))
    assert out.stat().st_size == wav_bytes(plan, **texts)
    return plan, pieces


@pytest.fixture
def noise(tmp_path):
    """Twenty seconds of quiet white noise in stereo, and a bit more: (path, samples)."""
    path = tmp_path / "noise.wav"
    rng = np.random.default_rng(3)
    sound = 0.05 * rng.standard_normal((20 * RATE + 1_234, 2))
    soundfile.write(path, sound, RATE, subtype="PCM_24")
    return path, sound


def test_the_files_response_is_the_equalisers(noise, tmp_path):
    path, sound = noise
    plan, _ = rendered(path, tmp_path / "out.wav", match_db=-1.25)
    assert plan.lowered_db == 0.0
    out, rate = soundfile.read(tmp_path / "out.wav")
    assert (rate, out.shape) == (RATE, sound.shape)
    for channel in range(2):
        hz, cross = signal.csd(sound[:, channel], out[:, channel], RATE, nperseg=16_384)
        _, power = signal.welch(sound[:, channel], RATE, nperseg=16_384)
        found = 20 * np.log10(np.abs(cross / power))
        heard = (hz >= 30) & (hz <= 20_000)
        wanted = response_db(MOVES, hz[heard], RATE) - 1.25
        assert found[heard] == pytest.approx(wanted, abs=0.1)


def test_it_is_24_bit_and_says_what_was_done(noise, tmp_path):
    rendered(noise[0], tmp_path / "out.wav")
    with soundfile.SoundFile(tmp_path / "out.wav") as file:
        assert (file.format, file.subtype) == ("WAV", "PCM_24")
        texts = file.copy_metadata()
    assert texts == {"title": "Lemon", "artist": "Žofie", "comment": "+3 dB"}


def test_it_comes_in_pieces_of_a_second(noise, tmp_path):
    _, pieces = rendered(noise[0], tmp_path / "out.wav")
    assert len(pieces) > 20
    assert max(map(len, pieces)) <= RATE * 2 * 3


def test_without_filters_the_sound_is_kept_to_the_last_bit(noise, tmp_path):
    rendered(noise[0], tmp_path / "out.wav", moves=[])
    before, _ = soundfile.read(noise[0], dtype="int32")
    after, _ = soundfile.read(tmp_path / "out.wav", dtype="int32")
    assert np.array_equal(before, after)


def test_peaks_are_kept_below_the_ceiling_and_it_is_said_by_how_much(tmp_path):
    """The peak is looked for again by another oversampler, scipy's."""
    t = np.arange(5 * RATE) / RATE
    sound = 0.9 * np.sin(2 * np.pi * 60 * t) * np.hanning(t.size)
    soundfile.write(tmp_path / "in.wav", sound, RATE, subtype="PCM_16")
    moves = [Move("low_shelf", 200.0, 3.0)]
    plan, _ = rendered(tmp_path / "in.wav", tmp_path / "out.wav", moves=moves)
    out, _ = soundfile.read(tmp_path / "out.wav")
    peak_db = 20 * np.log10(np.abs(signal.resample_poly(out, 8, 1)).max())
    assert peak_db == pytest.approx(CEILING_DBTP, abs=0.05)
    gain_db = response_db(moves, np.array([60.0]), RATE)[0]
    assert plan.lowered_db == pytest.approx(CEILING_DBTP - (20 * np.log10(0.9) + gain_db), abs=0.05)


@pytest.mark.parametrize(
    ("layout", "channels"), [("mono", 1), ("stereo", 2), ("quad", 4), ("5.1", 6), ("7.1", 8)]
)
def test_every_layout_is_read_back_by_two_decoders(tmp_path, layout, channels):
    sound = np.random.default_rng(5).uniform(-1, 1, (channels, 777)).astype(np.float32)
    header = wav.header(sample_rate=48_000, channel_layout=layout, n_samples=777, title="odd")
    tail = wav.padding(channels=channels, n_samples=777)
    path = tmp_path / "x.wav"
    path.write_bytes(header + wav.samples(sound) + tail)
    assert path.stat().st_size % 2 == 0
    read, rate = soundfile.read(path, always_2d=True)
    assert rate == 48_000
    assert np.abs(read.T - sound).max() <= 2**-23
    with av.open(path) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.codec.name == "pcm_s24le"
        assert stream.channels == channels
        # Without a mask a file of one or two channels says no more than that.
        assert stream.layout.name == (layout if channels > 2 else f"{channels} channels")


def test_full_scale_does_not_wrap_around():
    loud = np.array([[1.0, 2.0, -1.0, -2.0]], dtype=np.float32)
    values = [
        int.from_bytes(wav.samples(loud)[at : at + 3], "little", signed=True)
        for at in range(0, 12, 3)
    ]
    assert values == [2**23 - 1, 2**23 - 1, -(2**23), -(2**23)]


def test_from_four_gigabytes_on_it_is_rf64(tmp_path):
    n_samples = 48_000 * 3_600 * 8
    header = wav.header(sample_rate=48_000, channel_layout="stereo", n_samples=n_samples)
    assert header[:4] == b"RF64"
    riff, data, samples = struct.unpack_from("<QQQ", header, 20)
    assert (data, samples) == (n_samples * 6, n_samples)
    assert riff == len(header) - 8 + data
    # A short piece of it is enough for a reader to believe the length.
    (tmp_path / "x.wav").write_bytes(header + b"\0" * 6_000)
    assert soundfile.info(tmp_path / "x.wav").format == "RF64"
