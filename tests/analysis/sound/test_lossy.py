"""True peak after lossy encoding, beside containers written by FFmpeg and its ebur128 meter."""

from __future__ import annotations

import re
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
import scipy.signal
import soxr

from analysis.sound.decode import UndecodableAudio
from analysis.sound.lossy import ENCODINGS, Encoding, check_lossy, codec_rate
from tests.analysis.sound.signals import Array, noise, sine, write
from tests.memory import growth_kb

RATE = 44_100
# LAME's own preset for 128 kbit/s scales the sound by 0.95.
LAME_SCALE_DB = {"mp3_128": 20 * np.log10(0.95)}
CONTAINERS = {"aac": "mp4", "opus": "ogg", "mp3": "mp3"}


def faded(sound: Array, *, rate: int = RATE) -> Array:
    """A hard cut overshoots by itself: let the sound begin and end softly."""
    at = np.arange(sound.shape[1])
    return (sound * np.minimum(1.0, np.minimum(at, at[::-1]) / (0.05 * rate))).astype(np.float32)


def hot_master(seconds: float = 6.0, *, rate: int = RATE) -> Array:
    """Chords and noise as dark as music's, driven until they are nearly square; peak 0 dBFS."""
    generator = np.random.default_rng(3)
    n = round(seconds * rate)
    at = np.arange(n) / rate
    tones = sum(
        np.sin(2 * np.pi * hz * at + phase)
        for hz, phase in zip((55, 110, 164.8, 220, 329.6, 523.3, 880), range(7), strict=True)
    )
    hiss = scipy.signal.lfilter([0.25], [1, -0.95], generator.standard_normal((2, n)), axis=1)
    driven = np.tanh(3.0 * (tones / 2 + hiss))
    return faded((0.99997 * driven / np.abs(driven).max()).astype(np.float32), rate=rate)


def by_name(path: Path, names: tuple[str, ...] = ()) -> dict:
    chosen = [encoding for encoding in ENCODINGS if not names or encoding.name in names]
    return {row.name: row for row in check_lossy(path, encodings=chosen).encodings}


def test_a_master_without_headroom_goes_over_full_scale(tmp_path):
    found = by_name(write(tmp_path / "hot.wav", hot_master(), subtype="PCM_24"))
    assert set(found) == {"aac_256", "aac_128", "opus_128", "mp3_320", "mp3_128"}
    for name in ("aac_128", "opus_128", "mp3_128"):
        assert found[name].true_peak_dbtp > 0.5, name
        assert found[name].over_db(0.0) == found[name].true_peak_dbtp
        assert found[name].over_db(-1.0) == pytest.approx(found[name].true_peak_dbtp + 1.0)
        assert found[name].clipped_runs > 0, name
    # The fewer bits, the farther the wave is from what it was.
    assert found["aac_128"].rise_db > found["aac_256"].rise_db
    assert found["mp3_128"].rise_db > found["mp3_320"].rise_db


def test_a_sine_with_headroom_stays_where_it_was(tmp_path):
    tone = faded(np.repeat(sine(5.0, dbfs=-3.0, hz=997.0, rate=RATE)[None], 2, axis=0))
    result = check_lossy(write(tmp_path / "sine.wav", tone, subtype="PCM_24"))
    assert result.true_peak_dbtp == pytest.approx(-3.0, abs=0.05)
    # A stereo sine at 997 Hz reads its peak level in LUFS (BS.1770-4), fades aside.
    assert result.integrated_lufs == pytest.approx(-3.0, abs=0.1)
    for row in result.encodings:
        assert row.true_peak_dbtp == pytest.approx(-3.0, abs=0.6), row.name
        assert (row.over_db(0.0), row.over_db(-1.0), row.clipped_runs) == (0.0, 0.0, 0)
        expected = result.integrated_lufs + LAME_SCALE_DB.get(row.name, 0.0)
        assert row.integrated_lufs == pytest.approx(expected, abs=0.1), row.name


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_agrees_with_a_file_written_by_ffmpeg_and_its_own_meter(encoding, tmp_path):
    sound = hot_master()
    found = by_name(write(tmp_path / "hot.wav", sound, subtype="PCM_24"), (encoding.name,))
    loudness, peak = ebur128(written(tmp_path / "encoded", sound, encoding))
    # Its readings are rounded to a tenth, and its interpolator is shorter than ours.
    assert found[encoding.name].integrated_lufs == pytest.approx(loudness, abs=0.1)
    assert found[encoding.name].true_peak_dbtp == pytest.approx(peak, abs=0.2)


def test_the_bits_asked_for_are_the_bits_spent(tmp_path):
    seconds = 6.0
    found = by_name(write(tmp_path / "noise.wav", noise(seconds)))
    for encoding in ENCODINGS:
        spent = 8 * found[encoding.name].encoded_bytes / seconds
        # Opus may spend more on noise: its rate is a mean over music.
        assert spent == pytest.approx(encoding.bit_rate, rel=0.15), encoding.name


@pytest.mark.parametrize(
    ("rate", "aac_rate"),
    [(8_000, 48_000), (22_050, 44_100), (44_100, 44_100), (48_000, 48_000), (88_200, 44_100),
     (96_000, 48_000), (176_400, 44_100)],
)  # fmt: skip
def test_every_sample_rate_is_brought_to_the_codecs(rate, aac_rate, tmp_path):
    tone = faded(np.repeat(sine(3.0, dbfs=-6.0, rate=rate)[None], 2, axis=0), rate=rate)
    found = by_name(write(tmp_path / "tone.wav", tone, rate=rate), ("aac_256", "opus_128"))
    assert found["aac_256"].sample_rate == aac_rate
    assert found["opus_128"].sample_rate == 48_000
    for row in found.values():
        assert row.true_peak_dbtp == pytest.approx(-6.0, abs=0.6)
    assert {codec_rate(encoding, rate) for encoding in ENCODINGS} <= {44_100, 48_000}


def test_mono_stays_mono_and_surround_is_folded(tmp_path):
    mono = faded(sine(3.0, dbfs=-6.0, rate=RATE)[None])
    result = check_lossy(write(tmp_path / "mono.wav", mono))
    assert result.channels == 1
    # One channel is 3.01 LU below two of them.
    assert result.integrated_lufs == pytest.approx(-9.0, abs=0.15)
    for row in result.encodings:
        expected = result.integrated_lufs + LAME_SCALE_DB.get(row.name, 0.0)
        assert row.integrated_lufs == pytest.approx(expected, abs=0.2), row.name
    surround = np.zeros((6, mono.shape[1]), np.float32)
    surround[2] = mono[0]
    folded = check_lossy(write(tmp_path / "surround.wav", surround), encodings=ENCODINGS[:1])
    # A centre goes to both sides at -3.01 dB.
    assert folded.channels == 2
    assert folded.true_peak_dbtp == pytest.approx(-9.0, abs=0.1)
    assert folded.encodings[0].true_peak_dbtp == pytest.approx(-9.0, abs=0.6)


def test_twice_is_the_same(tmp_path):
    path = write(tmp_path / "hot.wav", hot_master(3.0))
    assert check_lossy(path) == check_lossy(path)


def test_progress_runs_from_nothing_to_all(tmp_path):
    told: list[tuple[float, str]] = []
    check_lossy(
        write(tmp_path / "noise.wav", noise(8.0)),
        encodings=ENCODINGS[:1],
        progress=lambda fraction, message: told.append((fraction, message)),
    )
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) >= 8
    assert {message for _, message in told} == {"Encoding to AAC"}


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = write(tmp_path / "long.wav", noise(90.0))
    chosen = [encoding for encoding in ENCODINGS if encoding.name == "opus_128"]
    check_lossy(write(tmp_path / "short.wav", noise(3.0)), encodings=chosen)
    # A minute and a half of stereo floats is 31 MB.
    assert growth_kb(lambda: check_lossy(path, encodings=chosen)) < 12_000


def test_what_cannot_be_decoded_is_refused_in_words(tmp_path):
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF" + b"\0" * 400)
    with pytest.raises(UndecodableAudio) as refusal:
        check_lossy(path)
    assert refusal.value.message


def written(path: Path, sound: Array, encoding: Encoding) -> Path:
    """A file as FFmpeg writes it, with its container, made in one go."""
    rate = codec_rate(encoding, RATE)
    if rate != RATE:
        sound = soxr.resample(sound.T, RATE, rate, quality="VHQ").T.astype(np.float32)
    with av.open(str(path), "w", format=CONTAINERS[encoding.codec]) as out:
        stream = out.add_stream(encoding.encoder, rate=rate, layout="stereo")
        stream.bit_rate = encoding.bit_rate
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound), format="fltp", layout="stereo"
        )
        frame.sample_rate = rate
        wanted = "flt" if encoding.codec == "opus" else "fltp"
        stream.codec_context.format = wanted
        size = {"aac": 1024, "opus": 960, "mp3": 1152}[encoding.codec]
        pieces = av.AudioResampler(format=wanted, layout="stereo", rate=rate, frame_size=size)
        for piece in [*pieces.resample(frame), *pieces.resample(None)]:
            if piece is not None:
                out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


def ebur128(path: Path) -> tuple[float, float]:
    """(integrated LUFS, true peak in dBTP) of a file by FFmpeg's own filter."""
    found: dict[str, str] = {}
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        source = graph.add_abuffer(sample_rate=stream.rate, format="fltp", layout="stereo")
        meter = graph.add("ebur128", "metadata=1:peak=true")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        for frame in container.decode(stream):
            source.push(frame)
            while True:
                try:
                    found |= dict(sink.pull().metadata)
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
    number = re.compile(r"-?\d+\.\d+")
    loudness = number.search(found["lavfi.r128.I"])
    peaks = [number.search(found[f"lavfi.r128.true_peaks_ch{channel}"]) for channel in (0, 1)]
    assert loudness
    assert all(peaks)
    return float(loudness[0]), 20 * np.log10(max(float(peak[0]) for peak in peaks))
