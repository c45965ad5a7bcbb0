"""Lessons from a teacher, and a trunk that learns them."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from analysis.training.distillation import DistillationRecipe, distance, distil
from analysis.training.lessons import (
    ANSWER,
    COLUMNS_PER_PATCH,
    TAUGHT,
    Answers,
    Lessons,
    teach_from_sound,
)
from analysis.training.musicnn import MusiCNN
from analysis.training.recipe import WindowPlan


def test_answers_of_a_stretch_are_the_mean_over_what_it_overlaps() -> None:
    generator = np.random.default_rng(3)
    heard = [generator.normal(size=(n, TAUGHT)).astype(np.float32) for n in (4, 10, 1)]
    answers = Answers(heard)
    rows = np.concatenate(heard)
    scaled = [(part - rows.mean(0)) / (rows.std(0) + 1e-3) for part in heard]
    tracks = torch.tensor([1, 0, 2, 1])
    start = torch.tensor([30.0, 0.0, 0.0, 200.0])
    size = torch.tensor([128.0, 39.0, 25.0, 40.0])
    found = answers(tracks, start, size).numpy()
    for row, track, begin, length in zip(found, tracks, start, size, strict=True):
        fine = np.linspace(float(begin), float(begin + length), 4001)[:-1] / COLUMNS_PER_PATCH
        expected = scaled[int(track)][np.floor(fine).astype(int)].mean(0)
        np.testing.assert_allclose(row, expected, atol=5e-3)


def test_what_a_teacher_could_not_hear_is_not_asked_for() -> None:
    known, unknown = np.ones((3, TAUGHT), np.float32), np.ones((3, TAUGHT), np.float32)
    known[1] = 3.0
    unknown[:, :ANSWER] = np.nan
    answers = Answers([known, unknown])
    found = answers(torch.tensor([0, 1]), torch.zeros(2), torch.full((2,), 39.0))
    assert not found[0].isnan().any()
    assert found[1, :ANSWER].isnan().all()
    assert not found[1, ANSWER:].isnan().any()
    given = found.nan_to_num() + 3.0
    given[1, :ANSWER] = 1e6
    # Smooth L1 of 3 is 2.5, and the wild answers to the unknown do not count.
    assert float(distance(given, found)) == pytest.approx(2.5)


def write_tune(path: Path, hz: float, seconds: float) -> None:
    t = np.arange(round(seconds * 22_050)) / 22_050
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * t) * (1 + np.sin(5 * t)), 22_050)


def test_lessons_are_cut_from_files_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tune(tmp_path / "long.wav", 220.0, 95.0)
    (tmp_path / "broken.wav").write_text("no sound")
    files = [tmp_path / "long.wav", tmp_path / "broken.wav"]
    torch.manual_seed(0)
    teacher = MusiCNN().eval()
    with caplog.at_level(logging.WARNING):
        lessons = teach_from_sound(files, teacher, cache=tmp_path / "kept")
    assert "broken.wav" in caplog.text
    assert [picture.shape for picture in lessons.pictures] == [(128, 388), (128, 388)]
    assert [rows.shape for rows in lessons.heard] == [(10, TAUGHT), (10, TAUGHT)]
    # A second run needs neither the sound nor the teacher.
    (tmp_path / "long.wav").write_bytes(b"")
    again = teach_from_sound(files, MusiCNN().eval(), cache=tmp_path / "kept")
    assert again.digest() == lessons.digest()


def lessons_by_brightness(n: int, *, seed: int) -> Lessons:
    """Pictures with one bright band each, and answers that name it."""
    generator = np.random.default_rng(seed)
    pictures, heard = [], []
    for _ in range(n):
        band = int(generator.integers(8))
        picture = generator.integers(0, 60, (128, 160), dtype=np.uint8)
        picture[16 * band : 16 * band + 16] += 150
        pictures.append(picture)
        heard.append(np.full((4, TAUGHT), band, dtype=np.float32))
    return Lessons(pictures, heard)


def test_a_trunk_learns_what_it_is_taught(tmp_path: Path) -> None:
    recipe = DistillationRecipe(
        epochs=4,
        windows_per_excerpt=2,
        batch_size=8,
        windows=WindowPlan((32,), (1.0,)),
        ema_decay=0.7,
    )
    state = distil(
        lessons_by_brightness(24, seed=1),
        held_out=lessons_by_brightness(16, seed=2),
        recipe=recipe,
        run_dir=tmp_path,
        device="cpu",
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert min(lines[-1]["held_out_heard"], lines[-1]["held_out_imagined"]) > 0.5
    assert lines[-1]["loss"] < 0.6 * lines[0]["loss"]
    assert "stem.0.weight" in state
