"""``manage.py analyze``: documented keys, pictures, exit codes; no database is touched."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert doc["tempo"]["bpm"] == pytest.approx(110, rel=0.04)
    assert (doc["key"]["tonic"], doc["key"]["mode"]) == ("E", "major")
    assert {"integrated_lufs", "loudness_range_lu", "true_peak_dbtp"} <= set(doc["loudness"])
    assert doc["mix"]["genre"] == "jazz"
    assert isinstance(doc["mix"]["findings"], list)
    assert len(doc["embedding"]) == 128
    assert set(doc["models"]) == {"ears", "measurements"}
    pictures = {path.name for path in (tmp_path / "out").iterdir()}
    assert pictures == {"heatmap.png", "spectrogram.png", "heat.png", "waveform.png"}


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
