"""Several processes train what one would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from analysis.training.distributed import Processes, pick_device, processes
from analysis.training.loop import fit
from analysis.training.recipe import Optimisation

ROOT = Path(__file__).resolve().parents[3]


class Regression:
    """A task without chance or batch statistics: its outcome may not depend on the number of
    processes at all."""

    steps_per_epoch = 4

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(self.steps_per_epoch):
            inputs = torch.randn(12, 1, 4, 4, generator=generator)
            share = processes.share_of(inputs)
            yield share, share.flatten(1).cumsum(1)[:, :3]

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(network(inputs), targets)

    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        return {}


def regress(out: Path) -> None:
    """Train in this process, as one of those that torchrun started, or alone."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))
    recipe = Optimisation(epochs=3, learning_rate=0.02)
    with processes(torch.device("cpu")) as together:
        trained = fit(
            network,
            Regression(),
            recipe=recipe,
            run_dir=out / "run",
            fingerprint="regression",
            device=torch.device("cpu"),
            processes=together,
        )
        torch.save(trained.state_dict(), out / f"{together.rank}-of-{together.count}.pt")


def test_three_processes_end_where_one_does(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    regress(tmp_path / "one")
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib, sys\n"
        "from tests.analysis.training.test_distributed import regress\n"
        "regress(pathlib.Path(sys.argv[1]))\n"
    )
    for _ in range(3):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *("--nproc-per-node=3", str(script), str(tmp_path / "three")),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        # On a machine with no core to spare a thread of gloo's is now and then still alive when
        # its process leaves, which aborts it. That is not what this test is about.
        if "terminate called without an active exception" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr[-3000:]
    alone = torch.load(tmp_path / "one" / "0-of-1.pt")
    for rank in range(3):
        held = torch.load(tmp_path / "three" / f"{rank}-of-3.pt")
        for name, value in alone.items():
            torch.testing.assert_close(held[name], value, rtol=1e-4, atol=1e-5)
    losses = [
        [json.loads(line)["loss"] for line in (run / "run" / "metrics.jsonl").open()]
        for run in (tmp_path / "one", tmp_path / "three")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize(("rows", "count"), [(8, 2), (7, 2), (1, 3), (5, 4)])
def test_shares_are_of_one_size_and_leave_nothing_out(rows, count):
    batch = torch.arange(rows) * 10
    shares = [Processes(rank, count).share_of(batch).tolist() for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    taken = [row for share in shares for row in share]
    assert set(taken) == set(batch.tolist())
    assert len(taken) - rows < count


def test_one_process_takes_all():
    assert Processes().share_of(torch.arange(5)).tolist() == [0, 1, 2, 3, 4]
    assert float(Processes().mean(torch.tensor(3.0))) == 3.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_a_card_that_is_not_there_is_missed_in_words():
    with pytest.raises(ValueError, match="--device cpu works everywhere"):
        pick_device("cuda")


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="auto, cpu, cuda and mps"):
        pick_device("abacus")


def test_a_device_that_processes_cannot_share_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(ValueError, match="2 processes cannot train together"),
        processes(torch.device("mps")),
    ):
        pass
