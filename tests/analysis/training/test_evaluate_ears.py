"""The command on a small corpus with the real network: refuses, measures, and updates the card."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis.neural.weights import SHIPPED_DIR
from analysis.training.recordings import recordings
from analysis.training.retrieval import Recording

LABELS = json.loads((SHIPPED_DIR / "ears.json").read_text())["settings"]["labels"]
RATE = 22_050


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two splits of two tracks a genre, sound of two and clips of three of them."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("gtzan_mel", "gtzan_audio", "gtzan_clips"):
        (folder / name).mkdir()
    generator = np.random.default_rng(0)
    rows = []
    for split in ("train", "valid"):
        ids = [f"{genre}.{split}{i}" for genre in LABELS for i in range(2)]
        mel = generator.integers(0, 256, (len(ids), 128, 130), dtype=np.uint8)
        np.savez(folder / "gtzan_mel" / f"{split}.npz", ids=np.array(ids), mel=mel)
        rows += [
            {
                "id": track,
                "split": split,
                "genre": track.split(".")[0],
                "artist": f"{split} {i % 7}",
            }
            for i, track in enumerate(ids)
        ]
        for index, track in enumerate(ids[:5]):
            noise = generator.normal(0, 0.1, round(RATE * (4.0 if index < 2 else 2.5)))
            kind = "gtzan_audio" if index < 2 else "gtzan_clips"
            soundfile.write(folder / kind / f"{track}.flac", noise, RATE)
    with (folder / "gtzan_mel" / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "split", "genre", "artist"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def weights(folder: Path, trained_on: str | None, *, version: str = "1.0.0") -> Path:
    """The shipped weights with a manifest that says what they were trained on."""
    shutil.copytree(SHIPPED_DIR, folder)
    told = json.loads((folder / "ears.json").read_text())
    told["settings"].pop("trained_on", None)
    if trained_on:
        told["settings"]["trained_on"] = trained_on
    told["version"] = version
    told["figures"] = {}
    (folder / "ears.json").write_text(json.dumps(told))
    return folder


def test_it_refuses_held_out_figures_of_weights_that_heard_everything(data, tmp_path):
    both = weights(tmp_path / "both", "train+valid")
    with pytest.raises(CommandError, match=r"no held-out figures.*--weights"):
        call_command("evaluate_ears", data=data, only=["genre"], weights=[both])


def test_it_wants_to_know_what_silent_weights_were_trained_on(data, tmp_path):
    silent = weights(tmp_path / "silent", None)
    with pytest.raises(CommandError, match="--trained-on"):
        call_command("evaluate_ears", data=data, only=["genre"], weights=[silent])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ["beauty"]}, "no such evaluation: beauty"),
        ({"audio": ["music=/nowhere"]}, "/nowhere is not a folder"),
        ({"weights": [Path("/nowhere")]}, "no manifest"),
        ({"data": Path("/nowhere")}, "nowhere"),
        ({"data": None}, "--data"),
    ],
)
def test_what_cannot_be_done_is_said(data, tmp_path, options, said):
    with pytest.raises(CommandError, match=said):
        call_command("evaluate_ears", **{"data": data, "trained_on": "train", **options})


def test_figures_of_a_validation_run_go_into_the_card_of_the_weights_that_ship(
    data, tmp_path, capsys
):
    run = weights(tmp_path / "run", "train")
    shipped = weights(tmp_path / "shipped", "train+valid", version="2.0.0")
    told = json.loads((shipped / "ears.json").read_text())
    told["sha256"] = "0" * 64  # another file of weights
    (shipped / "ears.json").write_text(json.dumps(told))
    call_command(
        "evaluate_ears",
        data=data,
        only=["genre", "sound", "robustness", "similarity"],
        weights=[run],
        update=str(shipped),
        json=True,
    )
    printed = json.loads(capsys.readouterr().out)
    manifest = json.loads((shipped / "ears.json").read_text())
    evaluations = manifest["figures"]["evaluations"]
    assert {name: entry["figures"] for name, entry in evaluations.items()} == printed
    assert {entry["weights"]["role"] for entry in evaluations.values()} == {"validation run"}
    assert all(entry["weights"]["same_recipe"] for entry in evaluations.values())
    assert manifest["sha256"] == "0" * 64
    assert manifest["figures"]["accuracy"] == printed["genre"]["accuracy"]["mean"]
    assert printed["genre"]["tracks"] == 20
    assert printed["sound"]["audio"]["tracks"] == printed["robustness"]["tracks"] == 2
    assert printed["sound"]["clips"]["clips"] == 3
    assert printed["sound"]["clips"]["peer"] is None
    # Pictures are scaled track by track, so that a float file's level is not heard.
    louder = printed["robustness"]["damages"]["gain_plus_20"]
    assert louder["same_label"] == 1.0
    assert louder["embedding_cosine"] > 0.999
    card = (shipped / "ears.md").read_text()
    assert card.startswith("# ears 2.0.0")
    assert "## When files are damaged" in card
    assert "validation run, ears-1.0.0-" in card


def test_without_json_it_prints_what_the_card_will_say(data, tmp_path, capsys):
    run = weights(tmp_path / "run", "train")
    call_command("evaluate_ears", data=data, only=["similarity"], weights=[run])
    printed = capsys.readouterr().out
    assert printed.startswith("## Similarity")
    assert "| mfcc statistics |" in printed
    assert "these very weights, ears-1.0.0-" in printed


def test_the_card_alone_is_rendered_from_the_manifest(tmp_path):
    folder = weights(tmp_path / "w", "train", version="3.0.0")
    call_command("evaluate_ears", card=True, update=str(folder))
    assert (folder / "ears.md").read_text().startswith("# ears 3.0.0")


def test_the_gallery_has_each_recording_once_and_knows_what_was_trained_on(data, tmp_path):
    from analysis.neural.ears import Ears
    from analysis.neural.weights import read_from
    from analysis.training.evaluations import load_splits
    from analysis.training.held_out import judge

    splits = load_splits(data)
    ears = Ears(read_from(weights(tmp_path / "w", "train"), "ears"))
    soundfile.write(
        tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 8_000 * 41), 8_000
    )
    found = recordings(
        judge(ears, splits),
        splits,
        audio=data / "gtzan_audio",
        other={"mine": tmp_path},
    )
    names = [one.name for one in found]
    assert len(names) == len(set(names))
    counted: dict[str, list[Recording]] = {}
    for one in found:
        counted.setdefault(one.source, []).append(one)
    assert {name: len(some) for name, some in counted.items()} == {
        "GTZAN, trained on": 2,
        "GTZAN, not trained on": 2,
        "GTZAN pictures": 36,
        "demo": 28,
        "mine": 1,
    }
    assert all((one.path is None) == (one.source == "GTZAN pictures") for one in found)
