"""Taggers that learn to hear pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from analysis.neural.front_ends import FrontEnd, OfMusiCNN, front_end_of
from analysis.neural.imagination import imagine, patches_of
from analysis.neural.taggers import TAGS, Tagger
from analysis.neural.yamnet import YAMNet
from analysis.sound.mel import log_mel
from analysis.training.augment import mix_pictures
from analysis.training.checkpoints import OtherRun
from analysis.training.lessons import Lessons
from analysis.training.picture_teacher import (
    AdaptationRecipe,
    PictureTeacher,
    adapt,
    drawn_in_an_epoch,
    explained,
    recipe_of,
    tagger_of_pictures,
)


class SmallTagger(Tagger):
    """What a band and its changes are worth, by one hidden layer: a tagger that fits in a test."""

    features = 12

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.input_norm = nn.BatchNorm2d(1)
        self.hidden = nn.Linear(2 * 96, self.features)
        self.tags = nn.Linear(self.features, TAGS)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.input_norm(patches[:, None])[:, 0]
        changes = frames.diff(dim=1).abs().mean(dim=1) * 4.0
        features = self.hidden(torch.cat([frames.mean(dim=1), changes], dim=1)).tanh()
        return self.tags(features), features


def music(n: int, *, seed: int, seconds: float = 8.0, front_end: FrontEnd | None = None) -> Lessons:
    """Tunes with beats that a picture shows only in part."""
    front_end = front_end or OfMusiCNN()
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * 22_050)) / 22_050
    pictures, frames = [], []
    for _ in range(n):
        hz, beats = generator.uniform(100, 4_000), generator.uniform(1, 20)
        sound = np.sin(2 * np.pi * hz * t) * (1 + np.sign(np.sin(2 * np.pi * beats * t)))
        sound = (0.2 * sound + 0.02 * generator.normal(size=t.size)).astype(np.float32)
        pictures.append(log_mel(sound))
        frames.append(front_end.kept(sound))
    return Lessons(pictures, frames)


def test_answers_are_standardised_and_joined() -> None:
    teacher = PictureTeacher([SmallTagger(1), SmallTagger(2)])
    assert teacher.answers == 2 * (12 + 50)
    patches = torch.rand(40, 187, 96) * 5
    teacher.standardise([patches[:25], patches[25:]])
    with torch.no_grad():
        answers = teacher(patches)
    assert answers.shape == (40, 124)
    torch.testing.assert_close(answers.mean(dim=0), torch.zeros(124), atol=1e-4, rtol=0)
    assert float(answers.std(dim=0).max()) == pytest.approx(1.0, abs=1e-3)
    windows = torch.rand(3, 128, 128)
    expected = teacher(patches_of(imagine(windows))[1]).mean(dim=0)
    torch.testing.assert_close(teacher.judge(windows)[1], expected)


def test_taggers_that_hear_other_frames_are_no_teacher() -> None:
    with pytest.raises(ValueError, match="the same frames"):
        PictureTeacher([SmallTagger(), YAMNet()])


def test_yamnet_learns_to_hear_pictures(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tagger = YAMNet().eval()
    lessons, own = (music(8, seed=s, front_end=front_end_of(tagger)) for s in (1, 2))
    assert lessons.frames[0].shape[1] == 64
    recipe = replace(recipe_of(tagger), epochs=3, batch_size=8, patches_per_excerpt=2)

    def learn(rate: float) -> tuple[PictureTeacher, float]:
        folder = tmp_path / str(rate)
        teacher = adapt(
            [tagger],
            lessons,
            own=own,
            recipe=replace(recipe, learning_rate=rate),
            run_dir=folder,
            held_out=lessons,
            device="cpu",
        )
        last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
        return teacher, float(last["held_out_explained"])

    _, untaught = learn(1e-9)
    teacher, taught = learn(1e-3)
    assert taught > untaught + 0.05
    # What its bands of a picture are raised by was measured, and is kept.
    assert float(teacher.taggers[0].picture_gain.abs().mean()) > 0.1
    save_file(teacher.state_dict(), tmp_path / "teacher.safetensors")
    kept = tagger_of_pictures(tmp_path / "teacher.safetensors")
    assert isinstance(kept, YAMNet)
    assert torch.equal(kept.picture_gain, teacher.taggers[0].picture_gain)
    # A window of 9.9 s is heard in ten patches.
    windows = torch.rand(2, 128, 128)
    front = front_end_of(kept)
    patches = patches_of(front.imagine(windows), front.patch_frames)
    assert patches.shape == (2, 10, 96, 64)
    with torch.no_grad():
        expected = teacher(patches.flatten(0, 1)).unflatten(0, (2, 10)).mean(dim=1)
    torch.testing.assert_close(teacher.judge(windows), expected)


@pytest.mark.parametrize(
    ("share", "music", "own", "expected"),
    [(None, 20, 5, 5 / 25), (0.5, 20, 5, 0.5), (0.25, 30, 7, 0.25), (0.5, 0, 4, 1.0)],
)
def test_the_corpuss_own_sound_is_drawn_as_often_as_wished(
    share: float | None, music: int, own: int, expected: float
) -> None:
    recipe = AdaptationRecipe(own=share, patches_per_excerpt=6)
    drawn = drawn_in_an_epoch(music, own, recipe)
    assert float((drawn >= music).float().mean()) == pytest.approx(expected, abs=0.01)
    # All of it is drawn alike, and so is the other music.
    times = torch.bincount(drawn, minlength=music + own)
    assert int(times[music:].max() - times[music:].min()) <= 1
    assert set(times[:music].tolist()) <= {6}


def test_the_corpuss_own_sound_is_learned_from(tmp_path: Path) -> None:
    lessons, own = music(4, seed=1), music(4, seed=2)

    def taught(given: Lessons | None, folder: str) -> PictureTeacher:
        recipe = AdaptationRecipe(epochs=1, batch_size=4, patches_per_excerpt=1, own=0.5)
        where = tmp_path / folder
        return adapt(
            [SmallTagger()], lessons, own=given, recipe=recipe, run_dir=where, device="cpu"
        )

    alone, both = taught(None, "alone"), taught(own, "both")
    assert not torch.equal(alone.taggers[0].hidden.weight, both.taggers[0].hidden.weight)
    with pytest.raises(OtherRun):
        taught(music(4, seed=3), "both")


def test_normalisation_stays_as_it_was_trained() -> None:
    teacher = PictureTeacher([SmallTagger()])
    teacher.train()
    before = teacher.taggers[0].input_norm.running_mean.clone()
    teacher(torch.rand(4, 187, 96) + 3)
    assert torch.equal(teacher.taggers[0].input_norm.running_mean, before)


def test_a_tagger_learns_to_hear_pictures(tmp_path: Path) -> None:
    lessons, held_out = music(24, seed=1), music(16, seed=2)
    recipe = AdaptationRecipe(epochs=5, batch_size=16, patches_per_excerpt=3, learning_rate=3e-3)

    def run(epochs: int, rate: float, folder: str) -> float:
        short = AdaptationRecipe(
            epochs=epochs, batch_size=16, patches_per_excerpt=3, learning_rate=rate
        )
        adapt(
            [SmallTagger()],
            lessons,
            recipe=short,
            run_dir=tmp_path / folder,
            held_out=held_out,
            device="cpu",
        )
        lines = (tmp_path / folder / "metrics.jsonl").read_text().splitlines()
        return float(json.loads(lines[-1])["held_out_explained"])

    untaught = run(1, 1e-9, "untaught")
    taught = run(recipe.epochs, recipe.learning_rate, "taught")
    assert taught > untaught + 0.1


def test_a_teacher_goes_on_from_an_earlier_one_on_other_music(tmp_path: Path) -> None:
    lessons, more = music(6, seed=1), music(6, seed=2)

    def taught(given: Lessons, folder: str, init_from: PictureTeacher | None) -> PictureTeacher:
        # So slowly that what it began with can be recognised.
        still = AdaptationRecipe(
            epochs=1, batch_size=6, patches_per_excerpt=1, learning_rate=1e-9, weight_decay=0.0
        )
        where = tmp_path / folder
        return adapt(
            [SmallTagger()], given, recipe=still, run_dir=where, init_from=init_from, device="cpu"
        )

    earlier = PictureTeacher([SmallTagger(7)])
    earlier.mean.fill_(3.0)
    later, fresh = taught(more, "later", earlier), taught(more, "fresh", None)
    for began, ended in (
        (earlier.taggers[0].hidden.weight, later.taggers[0].hidden.weight),
        (SmallTagger().hidden.weight, fresh.taggers[0].hidden.weight),
    ):
        torch.testing.assert_close(ended.data, began.data, atol=1e-6, rtol=0)
    # Both answer on the scale of what the tagger hears in this music, not the earlier one's.
    assert torch.equal(later.mean, fresh.mean)
    with pytest.raises(OtherRun):
        taught(more, "later", None)
    with pytest.raises(OtherRun):
        taught(lessons, "later", earlier)


def test_a_run_of_other_taggers_is_refused(tmp_path: Path) -> None:
    lessons = music(2, seed=1)
    recipe = AdaptationRecipe(epochs=1, batch_size=2, patches_per_excerpt=1)
    adapt([SmallTagger(1)], lessons, recipe=recipe, run_dir=tmp_path, device="cpu")
    with pytest.raises(OtherRun):
        adapt([SmallTagger(2)], lessons, recipe=recipe, run_dir=tmp_path, device="cpu")


def test_explained_variance() -> None:
    wanted = torch.randn(200, 3)
    wanted[:, 2] = 1.0  # says nothing
    given = wanted.clone()
    assert explained(given, wanted) == pytest.approx(1.0)
    given[:, 0] = wanted[:, 0].mean()
    assert explained(given, wanted) == pytest.approx(0.5, abs=1e-4)


def test_two_pictures_at_once_add_their_power() -> None:
    loud, quiet = torch.full((2, 128, 4), 0.75), torch.full((2, 128, 4), 0.5)  # -20 and -40 dB
    both = mix_pictures(loud, quiet, torch.tensor([0.0, -torch.inf]))
    expected = 10 * np.log10((10**-2 + 10**-4) / 2)
    assert both[0].numpy() == pytest.approx(1 + expected / 80, abs=1e-5)
    assert both[1].numpy() == pytest.approx(0.75, abs=1e-6)
