"""The whole measurement of a file: one decode, plain data, bounded memory."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from analysis.sound import measure as measure_module
from analysis.sound.decode import UndecodableAudio, stream
from analysis.sound.measure import measure
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.signals import noise, sine, write


def plain(measurements) -> dict:
    return {
        field.name: dataclasses.asdict(getattr(measurements, field.name))
        for field in dataclasses.fields(measurements)
        if dataclasses.is_dataclass(getattr(measurements, field.name))
    }


def test_every_part_of_real_music_is_json():
    result = measured(demo_tracks()[0].path)
    document = json.loads(json.dumps(plain(result), allow_nan=False))
    assert set(document) == {
        "info", "loudness", "levels", "stereo", "spectrum", "dynamics", "waveform", "rhythm", "key",
        "features"
    }  # fmt: skip
    assert document["info"]["codec"] == "opus"


@pytest.mark.parametrize(
    "sound",
    [
        noise(1.0),
        noise(1.0) * np.float32(1e-4),
        np.stack([noise(2.0)[0], np.zeros(88_200, np.float32)]),
        np.repeat(sine(2.0, dbfs=-3, hz=12_000, rate=44_100)[None], 2, axis=0),
        np.eye(1, 88_200, 500, dtype=np.float32),
        np.ones((2, 88_200), np.float32),
    ],
    ids=["short", "faint", "one-sided", "high tone", "one click", "constant"],
)
def test_odd_but_valid_sound_gives_finite_plain_data(tmp_path, sound):
    result = measure(write(tmp_path / "x.wav", sound, subtype="FLOAT"))
    json.dumps(plain(result), allow_nan=False)
    for value in dataclasses.asdict(result.features).values():
        assert 0.0 <= value <= 1.0


def test_the_file_is_decoded_once(tmp_path, monkeypatch):
    path = write(tmp_path / "x.wav", noise(3.0))
    opened = []

    def counted(*args, **kwargs):
        opened.append(args)
        return stream(*args, **kwargs)

    monkeypatch.setattr(measure_module, "stream", counted)
    measure(path)
    assert len(opened) == 1


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_the_mono_signal_is_the_mix_at_22050(tmp_path, rate):
    sound = noise(4.3, rate=rate)
    result = measure(write(tmp_path / "x.wav", sound, rate=rate, subtype="FLOAT"))
    expected = soxr.resample(sound.mean(axis=0), rate, 22_050)
    assert result.mono_22k.dtype == np.float32
    assert result.mono_22k.size == pytest.approx(4.3 * 22_050, abs=2)
    n = min(expected.size, result.mono_22k.size)
    assert np.abs(result.mono_22k[:n] - expected[:n]).max() < 1e-3
    assert result.info.duration_s == pytest.approx(4.3, abs=1e-3)


def test_progress_rises_to_one(tmp_path):
    seen: list[tuple[float, str]] = []
    measure(
        write(tmp_path / "x.wav", noise(10.0)),
        progress=lambda fraction, message: seen.append((fraction, message)),
    )
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) > 8
    assert all(message for _, message in seen)


def test_what_progress_raises_stops_the_measurement(tmp_path):
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(write(tmp_path / "x.wav", noise(10.0)), progress=stop)


def test_too_long_a_file_stops_at_the_limit(tmp_path):
    with pytest.raises(UndecodableAudio) as caught:
        measure(write(tmp_path / "x.wav", noise(12.0)), max_duration_s=10.0)
    assert caught.value.code == "too_long"


def test_memory_does_not_grow_with_the_full_rate_sound(tmp_path):
    """Four minutes in 7.1 at 48 kHz are 369 MB as float32; the process may grow by a third."""
    path = tmp_path / "x.wav"
    with soundfile.SoundFile(path, "w", samplerate=48_000, channels=8, format="WAV") as file:
        for second in range(240):
            file.write(noise(1.0, rate=48_000, channels=8, seed=second).T)
    script = (
        "import resource, sys\n"
        "from analysis.sound.measure import measure\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "measure(sys.argv[1])\n"
        "before = peak()\n"
        "measure(sys.argv[2])\n"
        "print(peak() - before)\n"
    )
    short = write(tmp_path / "short.wav", noise(3.0, rate=48_000, channels=8), rate=48_000)
    run = subprocess.run(
        [sys.executable, "-c", script, str(short), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) < 123.0
