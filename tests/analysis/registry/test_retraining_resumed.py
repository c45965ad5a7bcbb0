"""A training that is killed, or stopped, at any point ends with the figures of one that was not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from tests.analysis.registry.labelled_voices import QUICK, labelled, train_to

ROOT = Path(__file__).resolve().parents[3]
STEPS_PER_EPOCH = QUICK.least_steps
CHILD = """
    import sys
    from pathlib import Path

    from torch.optim.optimizer import register_optimizer_step_post_hook

    from tests.analysis.registry.labelled_voices import train_to

    register_optimizer_step_post_hook(lambda *_: print("step", flush=True))
    train_to(Path(sys.argv[1]), Path(sys.argv[2]))
"""


class Interrupted(Exception):
    pass


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    """Checksum and manifest of a training that nothing interrupts."""
    weights = train_to(tmp_path_factory.mktemp("whole"), cache)
    manifest = json.loads((weights.parent / "timbre.json").read_text())
    return hashlib.sha256(weights.read_bytes()).hexdigest(), manifest


def test_the_candidate_says_what_it_came_from(whole):
    checksum, manifest = whole
    assert manifest["sha256"] == checksum
    # The starter's tags, and the new one; its reference voices are kept.
    assert manifest["settings"]["tags"] == ["warm", "bright", "breathy", "rough", "clean", "thin"]
    assert manifest["settings"]["reference_voices"]["singers"] == 31
    assert manifest["settings"]["labels"] == "mixed"
    figures = manifest["figures"]
    assert figures["clips"] + figures["stopping_clips"] == 20
    assert figures["singers"] + figures["stopping_singers"] == 4
    assert figures["tags"]["thin"]["labelled"]["yes"] == 2 * figures["singers"]
    assert figures["tags"]["warm"]["labelled"] is None
    assert figures["best"]["stopping_loss"] < figures["start"]["stopping_loss"]


def test_killed_in_the_middle_of_an_epoch(tmp_path, cache, whole):
    folder = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(folder), str(cache)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert child.stdout is not None
    for _ in range(STEPS_PER_EPOCH + 2):
        assert child.stdout.readline(), "it ended before it was killed"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert (folder / "checkpoint.pt").exists()
    assert not (folder / "timbre.safetensors").exists()
    weights = train_to(folder, cache)
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == whole[0]
    assert json.loads((folder / "timbre.json").read_text())["figures"] == whole[1]["figures"]


@pytest.mark.parametrize("calls", [3, 45, 70, 90])
def test_stopped_anywhere(tmp_path, cache, whole, calls):
    """While clips are built, before the first step, within epochs, and within a measurement."""
    left = calls

    def check():
        nonlocal left
        left -= 1
        if left == 0:
            raise Interrupted

    with pytest.raises(Interrupted):
        train_to(tmp_path, cache, check=check)
    weights = train_to(tmp_path, cache)
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == whole[0]


def test_a_finished_training_is_found_again(tmp_path, cache, whole):
    train_to(tmp_path, cache)
    steps = register_optimizer_step_post_hook(lambda *_: pytest.fail("it trained again"))
    try:
        weights = train_to(tmp_path, cache)
    finally:
        steps.remove()
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == whole[0]


def test_another_seed_is_another_model(tmp_path, cache, whole):
    weights = train_to(tmp_path, cache, recipe=replace(QUICK, seed=8))
    assert hashlib.sha256(weights.read_bytes()).hexdigest() != whole[0]


def test_retired_tags_go(tmp_path, cache):
    weights = train_to(tmp_path, cache, retired={"warm", "rough"}, clips=labelled())
    manifest = json.loads((weights.parent / "timbre.json").read_text())
    assert manifest["settings"]["tags"] == ["bright", "breathy", "clean", "thin"]
