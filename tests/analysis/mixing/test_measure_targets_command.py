"""``manage.py measure_targets``: writes the corridors, and says what is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command


def test_a_small_corpus_is_measured(tmp_path, capsys):
    generator = np.random.default_rng(1)
    pictures = generator.integers(1, 255, (6, 128, 50), dtype=np.uint8)
    names = np.array([f"rock.{number:05d}" for number in range(6)])
    (tmp_path / "tracks.csv").write_text(
        "id,split,genre,artist,tempo_bpm,meter\n"
        + "".join(f"{name},train,rock,x,120,4\n" for name in names)
    )
    np.savez(tmp_path / "train.npz", ids=names[:4], mel=pictures[:4])
    np.savez(tmp_path / "valid.npz", ids=names[4:], mel=pictures[4:])
    out = tmp_path / "targets.json"
    call_command("measure_targets", data=tmp_path, out=out)
    document = json.loads(out.read_text())
    assert set(document["genres"]) == {"any", "rock"}
    assert document["genres"]["rock"]["n_tracks"] == 6
    assert "rock (6 tracks)" in capsys.readouterr().out


def test_a_missing_corpus_is_named(tmp_path):
    with pytest.raises(CommandError, match="no sound files"):
        call_command("measure_targets", data=tmp_path, out=tmp_path / "targets.json")
    np.savez(tmp_path / "train.npz", ids=[], mel=[])
    with pytest.raises(CommandError, match=r"tracks\.csv"):
        call_command("measure_targets", data=tmp_path, out=tmp_path / "targets.json")
