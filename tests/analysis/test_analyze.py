"""``manage.py analyze``: documented keys, pictures, exit codes; no database is touched."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
SONG = Path(importlib.util.find_spec("immich_memories_music").origin).parent / (
    "tracks/happy/happy_acoustic_2.opus"
)


def analyze(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "EMBEDDED_DATABASE_URL": "postgresql://nobody@/nowhere?host=/nonexistent",
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )


def test_json_has_the_documented_keys(tmp_path):
    done = analyze(SONG, "--json", "--out", tmp_path / "out", "--genre", "jazz")
    assert done.returncode == 0, done.stderr
    doc = json.loads(done.stdout)
    assert {"duration_s", "sample_rate", "channels", "codec"} <= set(doc["file"])
    # Length, tempo and key as the package states them.
    assert doc["file"]["duration_s"] == pytest.approx(29.45, abs=0.1)
    assert {"label", "probabilities", "confidence", "familiarity"} <= set(doc["genre"])
    assert len(doc["genre"]["probabilities"]) == 10
    assert set(doc["features"]) == {"energy", "danceability", "acousticness", "valence"}
    assert all(0 <= value <= 1 for value in doc["features"].values())
    assert set(doc["feature_percentiles"]) == set(doc["features"])
    assert all(0 <= value <= 100 for value in doc["feature_percentiles"].values())
    assert doc["feature_reference"] == {"corpus": "GTZAN", "tracks": 639, "genres": 10}
    assert doc["tempo"]["bpm"] == pytest.approx(110, rel=0.04)
    assert (doc["key"]["tonic"], doc["key"]["mode"]) == ("E", "major")
    assert {"integrated_lufs", "loudness_range_lu", "true_peak_dbtp"} <= set(doc["loudness"])
    assert doc["mix"]["genre"] == "jazz"
    assert isinstance(doc["mix"]["findings"], list)
    assert len(doc["embedding"]) == 128
    assert set(doc["models"]) == {"ears", "measurements"}
    pictures = {path.name for path in (tmp_path / "out").iterdir()}
    assert pictures == {
        "heatmap.png",
        "spectrogram.png",
        "heat.png",
        "heat-2.png",
        "heat-3.png",
        "waveform.png",
    }
    explanations = doc["genre"]["explanations"]
    ranked = sorted(doc["genre"]["probabilities"].items(), key=lambda item: -item[1])
    assert [one["label"] for one in explanations] == [name for name, _ in ranked[:3]]
    assert doc["genre"]["attention"] == explanations[0]["attention"]
    assert doc["genre"]["sentence"] == explanations[0]["sentence"]
    for one in explanations:
        assert sum(band["share"] for band in one["attention"]["bands"]) == pytest.approx(
            1, abs=0.01
        )
        sections = one["attention"]["sections"]
        assert sum(section["share"] for section in sections) == pytest.approx(1, abs=0.01)
        assert (sections[0]["start_s"], sections[-1]["end_s"]) == (0, round(29.45, 2))
        assert 1 <= len(one["regions"]) <= 5
    assert "stems" not in doc["genre"]


def test_the_readable_summary_is_readable():
    done = analyze(SONG)
    assert done.returncode == 0
    assert "Tempo      110" in done.stdout
    assert "LUFS integrated" in done.stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.wav", b""), ("text.mp3", b"I am not music.\n" * 50), ("missing.flac", None)],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = analyze(path, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_genre_is_refused_with_the_known_ones():
    done = analyze(SONG, "--genre", "polka")
    assert done.returncode == 2
    assert "hiphop" in done.stderr


@pytest.fixture(scope="module")
def multitrack(tmp_path_factory):
    """A mix and its stems as files: real music below and above 400 Hz."""
    from scipy import signal

    folder = tmp_path_factory.mktemp("stems")
    sound, rate = soundfile.read(SONG, dtype="float32", frames=48_000 * 12)
    low = signal.sosfilt(signal.butter(4, 400, fs=rate, output="sos"), sound, axis=0)
    soundfile.write(folder / "mix.wav", sound, rate, "FLOAT")
    soundfile.write(folder / "bass.wav", low, rate, "FLOAT")
    soundfile.write(folder / "other.flac", np.clip(sound - low, -1, 1), rate, "PCM_24")
    soundfile.write(folder / "vocals.wav", np.zeros_like(sound), rate)
    return folder


def test_stems_are_switched_off_one_by_one(multitrack):
    done = analyze(multitrack / "mix.wav", "--stems", multitrack, "--json")
    assert done.returncode == 0, done.stderr
    genre = json.loads(done.stdout)["genre"]
    found = genre["stems"]["genres"]
    assert [one["label"] for one in found] == [one["label"] for one in genre["explanations"]]
    first = {stem["name"]: stem for stem in found[0]["stems"]}
    assert set(first) == {"bass", "other", "vocals"}
    assert found[0]["probability"] == pytest.approx(genre["confidence"], abs=1e-3)
    assert first["vocals"]["drop"] == pytest.approx(0, abs=1e-4), "there are none"
    assert first["bass"]["drop"] != pytest.approx(0, abs=1e-4)
    assert found[0]["sentence"] in analyze(multitrack / "mix.wav", "--stems", multitrack).stdout


def test_stems_that_cannot_be_used_are_explained(multitrack, tmp_path):
    missing = analyze(multitrack / "mix.wav", "--stems", tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "holds no stems" in missing.stderr
    strangers = analyze(SONG, "--stems", multitrack)
    assert strangers.returncode == 2
    assert "lasts 12.0 s, but the mix" in strangers.stderr
    sound, rate = soundfile.read(multitrack / "mix.wav")
    for name in ("drums", "bass"):
        soundfile.write(tmp_path / f"{name}.wav", np.roll(sound, 30_000, axis=0), rate)
    others = analyze(multitrack / "mix.wav", "--stems", tmp_path)
    assert others.returncode == 2
    assert "do not add up" in others.stderr
