"""``manage.py train_companion``: from pictures and some of their sound to two files' heads."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file

from analysis.neural import tagger_weights
from analysis.neural.companion import hear_picture
from analysis.neural.ears import Ears
from analysis.neural.taggers import MusiCNN
from analysis.neural.weights import SHIPPED_DIR, read_from
from analysis.neural.yamnet import YAMNet
from analysis.sound.mel import SAMPLE_RATE, log_mel
from analysis.training.picture_teacher import PictureTeacher

GENRES = read_from(SHIPPED_DIR, "ears").settings["labels"]


def tone(number: int, seed: int) -> np.ndarray:
    """Three seconds of a chord in noise; each genre has its own."""
    generator = np.random.default_rng(seed)
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * 110 * (number + 1) * k * time) for k in (1, 2, 3))
    return (0.1 * chord + 0.02 * generator.normal(size=time.size)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("companion")
    (folder / "pictures").mkdir()
    (folder / "sound").mkdir()
    rows = []
    for split, seed in (("train", 0), ("valid", 100)):
        ids, pictures = [], []
        for number, genre in enumerate(GENRES):
            for take in range(2 if split == "train" else 1):
                track = f"{genre}.{split}{take}"
                sound = tone(number, seed + 10 * number + take)
                soundfile.write(folder / "sound" / f"{track}.flac", sound, SAMPLE_RATE)
                ids.append(track)
                pictures.append(log_mel(np.tile(sound, 4)))
                rows.append({"id": track, "split": split, "genre": genre, "artist": track})
        np.savez(folder / "pictures" / f"{split}.npz", ids=ids, mel=np.stack(pictures))
    with (folder / "pictures" / "tracks.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["id", "split", "genre", "artist"])
        table.writeheader()
        table.writerows(rows)
    return folder


def copied(folder: Path, trained_on: str) -> Path:
    """The shipped ears in a folder of their own, with another word on what they learned from."""
    folder.mkdir()
    for name in ("ears.safetensors", "ears.json", "ears.md"):
        (folder / name).write_bytes((SHIPPED_DIR / name).read_bytes())
    manifest = json.loads((folder / "ears.json").read_text())
    manifest["settings"]["trained_on"] = trained_on
    (folder / "ears.json").write_text(json.dumps(manifest))
    return folder


def train(data: Path, measured: Path, out: Path, **options: object) -> None:
    call_command(
        "train_companion",
        data=data / "pictures",
        sound=[data / "sound"],
        measured=measured,
        out=out,
        run=out.parent / "run",
        model_version="9.9.9",
        **options,
    )


def test_both_files_get_heads_and_keep_all_else(data, tmp_path, capsys):
    measured = copied(tmp_path / "measured", "train")
    before = load_file(SHIPPED_DIR / "ears.safetensors")
    train(data, measured, tmp_path / "out")
    assert "the tagger counts" in capsys.readouterr().out
    for folder in (measured, tmp_path / "out"):
        weights = read_from(folder, "ears")
        assert weights.version == "9.9.9"
        after = load_file(weights.path)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
        assert all(name.startswith("companion.") for name in changed)
    # One has learned from the training tracks, the other one from all.
    one, other = (
        load_file(folder / "ears.safetensors")["companion.genre.weight"]
        for folder in (measured, tmp_path / "out")
    )
    assert not torch.equal(one, other)
    told = [read_from(folder, "ears").settings for folder in (measured, tmp_path / "out")]
    assert told[0]["sound_temperature"] == told[1]["sound_temperature"]
    # What was learned is heard: chords that only the tagger has learned from.
    ears = Ears(read_from(measured, "ears"))
    named = []
    for number, genre in enumerate(GENRES):
        sound = tone(number, 1_000 + number)
        likeliest = ears.predict(log_mel(sound), tagged=ears.tag(sound)).probabilities.argmax()
        named.append(ears.labels[int(likeliest)] == genre)
    assert np.mean(named) >= 0.8


def test_a_tagger_of_pictures_is_put_in_and_heard(data, tmp_path, capsys):
    """The tagger as it was published hears pictures badly; chords it can still tell apart."""
    teacher = PictureTeacher([tagger_weights.load()])
    save_file(teacher.state_dict(), tmp_path / "teacher.safetensors")
    measured = copied(tmp_path / "measured", "train")
    train(data, measured, tmp_path / "out", picture_tagger=[tmp_path / "teacher.safetensors"])
    assert "on pictures the tagger counts" in capsys.readouterr().out
    ears = Ears(read_from(tmp_path / "out", "ears"))
    published, kept = tagger_weights.load(), ears.network.picture_companion.tagger
    for one, other in zip(published.parameters(), kept.parameters(), strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=2e-3)  # half precision
    picture = log_mel(np.tile(tone(3, 1_003), 4))
    told = ears.predict(picture)
    assert ears.labels[int(told.probabilities.argmax())] == GENRES[3]
    heard = ears.hear(picture)
    assert heard.label == GENRES[3]
    np.testing.assert_allclose(told.embedding, heard.embedding, atol=1e-5)
    # Sound is heard as sound.
    sound = tone(3, 1_003)
    with_sound = ears.predict(log_mel(sound), tagged=ears.tag(sound))
    np.testing.assert_allclose(with_sound.tagged, ears.tag(sound).mean(axis=0), atol=1e-5)


def test_two_taggers_of_pictures_are_heard_side_by_side(data, tmp_path):
    """Of a YAMNet that has learned nothing the features are noise; the chords are still known."""
    torch.manual_seed(1)
    files = [tmp_path / "yamnet.safetensors", tmp_path / "musicnn.safetensors"]
    for file, tagger in zip(files, (YAMNet(), tagger_weights.load()), strict=True):
        save_file(PictureTeacher([tagger]).state_dict(), file)
    measured = copied(tmp_path / "measured", "train")
    train(data, measured, tmp_path / "out", picture_tagger=files)
    ears = Ears(read_from(tmp_path / "out", "ears"))
    companion = ears.network.picture_companion
    assert [type(tagger) for tagger in companion.taggers] == [MusiCNN, YAMNet]
    picture = log_mel(np.tile(tone(3, 1_003), 4))
    told = ears.predict(picture)
    assert told.tagged.shape == (1224,)
    assert ears.labels[int(told.probabilities.argmax())] == GENRES[3]
    # What MusiCNN hears stands first, and of sound it is all that is heard.
    sound = tone(3, 1_003)
    assert ears.predict(log_mel(sound), tagged=ears.tag(sound)).tagged.shape == (200,)
    alone = hear_picture(companion.taggers[:1], picture).mean(0)
    np.testing.assert_allclose(told.tagged[:200], alone, atol=1e-5)
    with pytest.raises(CommandError, match="a MusiCNN and then a YAMNet"):
        train(data, measured, tmp_path / "other", picture_tagger=files[:1])
    assert "YAMNet" in (tmp_path / "out" / "ears.md").read_text()
    # A fit with one tagger takes the other one out again.
    train(data, measured, tmp_path / "one", weights=tmp_path / "out", picture_tagger=files[1:])
    again = read_from(tmp_path / "one", "ears")
    assert again.settings["picture_taggers"] == ["musicnn"]
    assert Ears(again).predict(picture).tagged.shape == (200,)


def test_what_cannot_be_used_is_refused_in_words(data, tmp_path):
    everything = copied(tmp_path / "all", "train+valid")
    with pytest.raises(CommandError, match="train"):
        train(data, everything, tmp_path / "out")
    measured = copied(tmp_path / "measured", "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="named after a track"):
        call_command(
            "train_companion",
            data=data / "pictures",
            sound=[tmp_path / "empty"],
            measured=measured,
            out=tmp_path / "out",
            run=tmp_path / "run",
            model_version="9.9.9",
        )
    damaged = tmp_path / "teacher.safetensors"
    damaged.write_bytes(b"no tensors")
    with pytest.raises(CommandError, match="no teacher"):
        train(data, measured, tmp_path / "out", picture_tagger=[damaged])
    assert not (tmp_path / "out").exists()
