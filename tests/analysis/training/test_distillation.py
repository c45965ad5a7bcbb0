"""A trunk that learns from a teacher's answers, and where these come from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.training.augment import Pieces
from analysis.training.distillation import JUDGED_ONCE, DistillationRecipe, distil
from analysis.training.judges import Always, Once, judged_once
from analysis.training.picture_teacher import PictureTeacher
from analysis.training.recipe import WindowPlan
from tests.analysis.training.test_picture_teacher import SmallTagger

CPU = torch.device("cpu")


def pictures_by_brightness(n: int, *, seed: int) -> list[np.ndarray]:
    """Pictures with one bright band each."""
    generator = np.random.default_rng(seed)
    pictures = []
    for _ in range(n):
        band = int(generator.integers(8))
        picture = generator.integers(0, 60, (128, 160), dtype=np.uint8)
        picture[16 * band : 16 * band + 16] += 150
        pictures.append(picture)
    return pictures


def standard_teacher(pictures: list[np.ndarray]) -> PictureTeacher:
    teacher = PictureTeacher([SmallTagger()])
    answers = judged_answers(teacher, pictures)
    teacher.mean.copy_(answers.mean(dim=0))
    teacher.deviation.copy_(answers.std(dim=0))
    return teacher


def judged_answers(teacher: PictureTeacher, pictures: list[np.ndarray]) -> torch.Tensor:
    with torch.no_grad():
        return teacher.judge(torch.from_numpy(np.stack(pictures)[:, :, :40]) / 255.0)


class TestOnce:
    def test_a_window_has_the_mean_of_what_was_said_within_it(self) -> None:
        answers = [np.arange(n * 2, dtype=np.float16).reshape(n, 2) for n in (10, 4)]
        judge = Once(answers, hops=[10, 50], device=CPU)
        rows = np.concatenate(answers).astype(np.float32)

        def asked(track: int, start: float, size: float) -> tuple[float, list[float]]:
            tracks = torch.tensor([track])
            begin = torch.tensor([start])
            drawn = Pieces(begin, torch.tensor([size]), begin < 0, torch.ones(1))
            pieces = judge.known(tracks, drawn)
            answer = judge(torch.zeros(1), tracks, pieces)[0].numpy()
            raw = answer * rows.std(0, ddof=1) + rows.mean(0)
            return float(pieces.start[0]), pytest.approx(raw, abs=1e-4)

        # As wide as what was judged, from the place before.
        assert asked(0, 25.0, 40.0) == (20.0, [4.0, 5.0])
        # A wider one: places 2, 3 and 4 lie within it.
        assert asked(0, 20.0, 63.0) == (20.0, [6.0, 7.0])
        # Another picture with places farther apart; its end.
        assert asked(1, 60.0, 128.0) == (50.0, [3.0, 4.0])
        assert asked(1, 199.0, 128.0) == (150.0, [6.0, 7.0])

    def test_pictures_are_judged_along_their_length_and_kept(self, tmp_path: Path) -> None:
        pictures = [*pictures_by_brightness(2, seed=1), np.full((128, 30), 9, np.uint8)]
        teacher = PictureTeacher([SmallTagger()])
        answers = judged_once(teacher, pictures, hop=50, cache=tmp_path, device=CPU)
        assert [part.shape for part in answers] == [(3, 62), (3, 62), (1, 62)]
        with torch.no_grad():
            window = torch.from_numpy(pictures[1][:, 100:140].copy())[None] / 255.0
            expected = teacher.judge(window)[0].numpy()
        np.testing.assert_allclose(answers[1][2], expected, atol=2e-3)
        changed = max(tmp_path.iterdir(), key=lambda path: path.name)
        np.save(changed, np.zeros((1, 62), np.float16))
        again = judged_once(teacher, pictures, hop=50, cache=tmp_path, device=CPU)
        assert any(not part.any() for part in again)
        # Another teacher's answers are not taken for this one's.
        other = judged_once(
            PictureTeacher([SmallTagger(5)]), pictures, hop=50, cache=tmp_path, device=CPU
        )
        assert not np.allclose(other[0], answers[0])


@pytest.mark.parametrize("how", ["always", "once"])
def test_a_trunk_learns_what_it_is_taught(tmp_path: Path, how: str) -> None:
    music, checked = pictures_by_brightness(24, seed=1), pictures_by_brightness(16, seed=2)
    teacher = standard_teacher(music)
    judges = [Always(teacher, CPU), Always(teacher, CPU)]
    if how == "once":
        kept = [
            judged_once(teacher, part, hop=20, cache=tmp_path / "answers", device=CPU)
            for part in (music, checked)
        ]
        first = Once(kept[0], hops=[20] * 24, device=CPU)
        judges = [first, Once(kept[1], hops=[20] * 16, device=CPU, like=first)]
    recipe = DistillationRecipe(
        epochs=5,
        steps=10,
        batch_size=8,
        windows=WindowPlan((40,), (1.0,)),
        augmentation=JUDGED_ONCE.augmentation,
        ema_decay=0.7,
    )
    state = distil(
        judges[0],
        music[:12],
        corpus=music[12:],
        held_out=(judges[1], checked),
        recipe=recipe,
        run_dir=tmp_path / "run",
        device="cpu",
    )
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1]["held_out_explained"] > 0.5
    assert lines[-1]["loss"] < 0.6 * lines[0]["loss"]
    assert "stem.0.weight" in state
