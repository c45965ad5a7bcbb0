"""A timbre model of one's own: labels, training, resuming, and what ships."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from django.core.management import CommandError, call_command

from analysis.neural.timbre.model import Timbre
from analysis.neural.weights import read_from
from analysis.sound.voice.measures import NAMES
from analysis.training.timbre import families
from analysis.training.timbre.groups import UNCHANGED, Group
from analysis.training.timbre.voices import UnusableVoices, divided, from_folder, from_table
from analysis.training.timbre.weak_labels import FORMULAS, KNOWN_MOVE, Standings, label_rows
from tests.analysis.sound.voice import voices

RATE = 32_000
TAGS = list(FORMULAS)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """Measures of 40 voices, by chance."""
    rng = np.random.default_rng(0)
    return np.exp(0.5 * rng.standard_normal((40, len(NAMES)))).astype(np.float32)


def _group(reference: np.ndarray, *changes: str, labels: dict[str, float] | None = None) -> Group:
    rows = np.repeat(np.median(reference, axis=0)[None], 1 + len(changes), axis=0)
    return Group(
        singer="a",
        clip="a 0",
        is_original=True,
        is_reference=True,
        labels=labels or {},
        changes=(UNCHANGED, *changes),
        coefficients=np.zeros((len(rows), 40, 8), np.float16),
        measures=rows,
    )


def test_weak_labels_follow_their_formula(reference):
    standings = Standings.over(reference)
    voice = np.median(reference, axis=0)[None]
    assert standings.logits("bright", voice) == pytest.approx([0.0], abs=0.3)
    brighter = voice.copy()
    brighter[0, NAMES.index("brightness")] += 1.0
    assert standings.logits("bright", brighter) > standings.logits("bright", voice) + 0.3
    assert standings.logits("warm", brighter) == standings.logits("warm", voice)
    kept = Standings.from_settings(standings.settings())
    assert kept.logits("rough", reference) == pytest.approx(
        standings.logits("rough", reference), abs=1e-3
    )


def test_a_known_change_moves_its_tags_and_keeps_others(reference):
    group = _group(reference, "breath_noise", "clip", "band_limit")
    labels, moves = label_rows(group, TAGS, Standings.over(reference))
    logits = np.log(labels / (1 - labels))
    breathy, rough, clean = (TAGS.index(tag) for tag in ("breathy", "rough", "clean"))
    assert logits[1, breathy] - logits[0, breathy] >= KNOWN_MOVE - 1e-9
    assert logits[1, clean] - logits[0, clean] <= -KNOWN_MOVE + 1e-9
    assert labels[1, rough] == labels[0, rough]
    assert logits[2, rough] - logits[0, rough] >= KNOWN_MOVE - 1e-9
    assert labels[3] == pytest.approx(labels[0])
    assert moves[1].tolist() == [0, 0, 1, 0, -1]


def test_peoples_labels_come_before_formulas(reference):
    group = _group(reference, "high_shelf", labels={"bright": 0.9, "nasal": 0.25})
    labels, _ = label_rows(group, [*TAGS, "nasal", "soulful"], Standings.over(reference))
    assert labels[0, TAGS.index("bright")] == pytest.approx(0.9)
    assert labels[1, TAGS.index("bright")] > 0.9
    assert labels[:, 5] == pytest.approx([0.25, 0.25])
    assert np.isnan(labels[:, 6]).all()


def test_table_and_folder(tmp_path):
    stems = tmp_path / "song"
    stems.mkdir()
    for path in ("song/vocals.wav", "song/drums.wav", "ayse__one.wav", "ayse__two.wav"):
        soundfile.write(tmp_path / path, np.zeros(100), RATE)
    found = {voice.path.name: voice for voice in from_folder(tmp_path)}
    assert {name: voice.singer for name, voice in found.items()} == {
        "ayse__one.wav": "ayse",
        "ayse__two.wav": "ayse",
        "vocals.wav": "song",
    }
    assert [path.name for path in found["vocals.wav"].accompaniment] == ["drums.wav"]
    table = tmp_path / "labels.csv"
    table.write_text("file,singer,split,warm,nasal\nayse__one.wav,Ayşe,train,0.75,\n")
    (voice,) = from_table(table)
    assert (voice.singer, voice.split, voice.labels) == ("Ayşe", "train", {"warm": 0.75})
    train, held_out = divided(found.values(), share=0.5, seed=1)
    assert {v.singer for v in train} | {v.singer for v in held_out} == {"ayse", "song"}
    assert not {v.singer for v in train} & {v.singer for v in held_out}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path\nx.wav\n", "no column file"),
        ("file\nmissing.wav\n", "no file"),
        ("file,warm\nx.wav,7\n", "from 0 to 1"),
        ("file,split\nx.wav,test\n", "train or valid"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, content, said):
    soundfile.write(tmp_path / "x.wav", np.zeros(100), RATE)
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(UnusableVoices, match=said):
        from_table(tmp_path / "labels.csv")


def test_train_ship_and_go_on(tmp_path, monkeypatch, capsys):
    # The mechanics, on as few changes as show them.
    monkeypatch.setattr("analysis.training.timbre.groups.NEUTRAL", ())
    monkeypatch.setattr("analysis.training.timbre.groups.HELD_OUT", families.HELD_OUT[::6])
    rows = ["file;split;nasal"]
    for name, f0, split, nasal in (
        ("ayse", 220.0, "train", "0.8"),
        ("ben", 140.0, "train", "0.2"),
        ("cem", 180.0, "valid", ""),
    ):
        course = voices.vibrato(f0, seconds=1.5)
        sound = voices.with_noise(voices.harmonics(course, seconds=1.5), 25)
        soundfile.write(tmp_path / f"{name}__song.wav", 0.02 * sound, RATE)
        rows.append(f"{name}__song.wav;{split};{nasal}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(rows))
    run, out = tmp_path / "run", tmp_path / "out"
    options = ("--voices", table, "--run", run, "--out", out, "--model-version", "2.0.0")

    call_command("train_timbre", *options, "--epochs", "1")
    model = Timbre(read_from(out, "timbre"))
    assert model.tags == (*TAGS, "nasal")
    assert model.weights.identity.startswith("timbre-2.0.0-")
    assert model.reference.singers == 2
    heard = model.tag_probabilities(voices.harmonics(200.0), RATE)
    assert set(heard) == {*TAGS, "nasal"}
    assert "were labelled by people" in (out / "timbre.md").read_text()

    first = (out / "timbre.safetensors").read_bytes()
    call_command("train_timbre", *options, "--epochs", "1")
    assert (out / "timbre.safetensors").read_bytes() == first
    with pytest.raises(CommandError, match="another recipe"):
        call_command("train_timbre", *options, "--epochs", "2")

    monkeypatch.setenv("MODELS_DIR", str(out))
    capsys.readouterr()
    # Three clips of hum are no training: it must say so.
    with pytest.raises(CommandError, match="moves the right way"):
        call_command("evaluate_timbre", "--voices", table)
    printed = capsys.readouterr().out
    assert "1 clips by 1 singers held out" in printed
