"""``manage.py pretrain_trunk``: from folders of music to a trunk for train_genre to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file

from analysis.neural.listener import ListeningNetwork
from analysis.neural.published_taggers import load_tagger
from analysis.training.picture_teacher import PictureTeacher
from analysis.training.transfer import load_trunk
from tests.analysis.neural.test_taggers import vgg_variables, write_checkpoint
from tests.analysis.training.test_lessons import tune


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    write_checkpoint(folder, vgg_variables())
    return folder


def test_a_trunk_comes_out(tmp_path: Path, tagger: Path, capsys: pytest.CaptureFixture) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for name, hz in (("one", 220.0), ("two", 880.0)):
        soundfile.write(music / f"{name}.wav", tune(hz, 31.0), 22_050)
    teacher = PictureTeacher([load_tagger(tagger)])
    save_file(teacher.state_dict(), tmp_path / "teacher.safetensors")
    run = tmp_path / "run"

    def pretrain() -> None:
        call_command(
            "pretrain_trunk",
            audio=[str(music)],
            tagger=[str(tagger)],
            held_out=[str(music)],
            teacher=str(tmp_path / "teacher.safetensors"),
            judge="once",
            run=str(run),
            epochs=1,
            steps=1,
            device="cpu",
        )

    pretrain()
    assert "2 excerpts" in capsys.readouterr().out
    trunk = load_file(run / "trunk.safetensors")
    load_trunk(ListeningNetwork(3), trunk)  # raises if it is not a whole one
    assert all(np.isfinite(value.numpy()).all() for value in trunk.values())
    # The same command again finds everything done.
    changed = (run / "trunk" / "metrics.jsonl").stat().st_mtime_ns
    pretrain()
    assert (run / "trunk" / "metrics.jsonl").stat().st_mtime_ns == changed
    again = load_file(run / "trunk.safetensors")
    assert all((again[name] == value).all() for name, value in trunk.items())


def test_the_teacher_alone(tmp_path: Path, tagger: Path, capsys: pytest.CaptureFixture) -> None:
    soundfile.write(tmp_path / "one.wav", tune(220.0, 91.0), 22_050)

    def teach(run: str, **more: object) -> dict[str, torch.Tensor]:
        call_command(
            "pretrain_trunk",
            audio=[str(tmp_path)],
            every=60,
            tagger=[str(tagger)],
            run=str(tmp_path / run),
            only_teacher=True,
            device="cpu",
            **more,
        )
        return load_file(tmp_path / run / "teacher.safetensors")

    def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return any(not torch.equal(one[name], value) for name, value in other.items())

    taught = teach("run", teacher_epochs=1)
    assert "2 excerpts" in capsys.readouterr().out
    assert differ(PictureTeacher([load_tagger(tagger)]).state_dict(), taught)
    assert not (tmp_path / "run" / "trunk.safetensors").exists()
    # A finished one is taken as it is; with a number of epochs it goes on.
    earlier = str(tmp_path / "run" / "teacher.safetensors")
    assert not differ(taught, teach("same", teacher=earlier))
    assert differ(taught, teach("further", teacher=earlier, teacher_epochs=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tagger": ["/nowhere"]}, "no tagger"),
        ({"teacher": "/nowhere"}, "no teacher of these taggers"),
        ({"own_share": 1.0}, "below 1"),
        ({}, "no music of 30 s"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, tagger: Path, options: dict, message: str
) -> None:
    if "teacher" in options:
        soundfile.write(tmp_path / "one.wav", tune(220.0, 31.0), 22_050)
    how = {"audio": [str(tmp_path)], "tagger": [str(tagger)], "run": str(tmp_path / "run")}
    with pytest.raises(CommandError, match=message):
        call_command("pretrain_trunk", **(how | options), device="cpu")
