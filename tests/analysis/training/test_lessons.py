"""Pictures and the sound beside them, as taggers hear it."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis.neural.front_ends import OfMusiCNN
from analysis.neural.imagination import LOUDEST_FRAME
from analysis.training.lessons import lessons_from_sound


def tune(hz: float, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * 22_050)) / 22_050
    return (0.3 * np.sin(2 * np.pi * hz * t) * (1 + np.sin(5 * t))).astype(np.float32)


def test_lessons_are_cut_from_files_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "long.wav", tune(220.0, 95.0), 22_050)
    soundfile.write(tmp_path / "clip.wav", tune(440.0, 2.0), 22_050)
    (tmp_path / "broken.wav").write_text("no sound")
    files = [tmp_path / name for name in ("long.wav", "broken.wav", "clip.wav")]
    with caplog.at_level(logging.WARNING):
        lessons = lessons_from_sound(files, cache=tmp_path / "kept")
    assert "broken.wav" in caplog.text
    # Every 40 s from the start, and a clip that is repeated until a tagger has enough of it.
    assert [picture.shape for picture in lessons.pictures] == [(128, 388), (128, 388), (128, 52)]
    assert [part.shape for part in lessons.frames] == [(1876, 96), (1876, 96), (251, 96)]
    # A second run does not need the sound.
    for path in files:
        path.write_bytes(b"")
    assert lessons_from_sound(files, cache=tmp_path / "kept").digest() == lessons.digest()


def test_frames_do_not_know_the_level() -> None:
    sound = tune(330.0, 4.0)
    frames = OfMusiCNN().kept(sound)
    assert frames.max() == 255
    quiet = OfMusiCNN().kept(sound * 0.01)
    assert np.abs(frames.astype(int) - quiet.astype(int)).max() <= 1
    assert pytest.approx(5.82, abs=0.01) == LOUDEST_FRAME
