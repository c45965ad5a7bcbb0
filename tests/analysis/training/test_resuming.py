"""A run that is really killed ends like one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from analysis.training.checkpoints import Checkpoint, OtherRun
from analysis.training.genre import Recipe, train_trunk
from analysis.training.recipe import WindowPlan
from tests.analysis.training.corpora import two_genres

ROOT = Path(__file__).resolve().parents[3]
RECIPE = Recipe(
    epochs=2,
    crops_per_track=2,
    batch_size=6,
    seed=1,
    windows=WindowPlan(widths=(32, 48), weights=(1, 1)),
)
STEPS_PER_EPOCH = 4
# Trains like the test does, and counts its steps aloud.
CHILD = """
    import sys
    from pathlib import Path

    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from analysis.training.genre import train_trunk
    from tests.analysis.training.corpora import two_genres
    from tests.analysis.training.test_resuming import RECIPE

    torch.set_num_threads(1)
    register_optimizer_step_post_hook(lambda *_: print("step", flush=True))
    train_trunk(two_genres(0, "a"), recipe=RECIPE, run_dir=Path(sys.argv[1]), device="cpu")
"""


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_killed_in_the_middle_of_an_epoch(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path / "cut")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        text=True,
    )
    for _ in range(STEPS_PER_EPOCH + 2):
        assert child.stdout.readline() == "step\n"
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    cut = tmp_path / "cut" / "metrics.jsonl"
    assert len(cut.read_text().splitlines()) == 1

    data = two_genres(0, "a")
    resumed = train_trunk(data, recipe=RECIPE, run_dir=tmp_path / "cut", device="cpu")
    whole = train_trunk(data, recipe=RECIPE, run_dir=tmp_path / "whole", device="cpu")
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0)
    assert _losses(cut) == _losses(tmp_path / "whole" / "metrics.jsonl")


def _losses(log: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [(line["epoch"], line["loss"]) for line in lines]


def test_a_finished_run_is_not_trained_again(tmp_path):
    data, recipe = two_genres(0, "a"), Recipe(epochs=1, crops_per_track=1)
    first = train_trunk(data, recipe=recipe, run_dir=tmp_path, device="cpu")
    written = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    time.sleep(0.01)
    again = train_trunk(data, recipe=recipe, run_dir=tmp_path, device="cpu")
    assert torch.equal(first.genre.weight, again.genre.weight)
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == written


def test_another_recipe_or_corpus_is_another_run(tmp_path):
    data, recipe = two_genres(0, "a"), Recipe(epochs=1, crops_per_track=1)
    train_trunk(data, recipe=recipe, run_dir=tmp_path, device="cpu")
    with pytest.raises(OtherRun, match="another recipe"):
        train_trunk(data, recipe=Recipe(epochs=2), run_dir=tmp_path, device="cpu")
    changed = two_genres(0, "a")
    changed.mel[3, 5, 7] ^= 1
    with pytest.raises(OtherRun, match="corpus"):
        train_trunk(changed, recipe=recipe, run_dir=tmp_path, device="cpu")


def test_a_checkpoint_that_was_being_written_is_no_checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path, fingerprint="f")
    checkpoint.save({"epoch": torch.tensor(1)}, history=[{"epoch": 1}])
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    loaded = checkpoint.load(torch.device("cpu"))
    assert loaded is not None
    assert loaded["history"] == [{"epoch": 1}]
