"""Training on several processes: ``torchrun --nproc-per-node N manage.py train_genre ...``.

Every process computes the gradients of its share of each batch; the mean over all of them moves
the same weights everywhere (DistributedDataParallel). The batch stays as large as the recipe says,
so the recipe holds for any number of processes.

Batch normalisation: on CUDA the statistics are those of the whole batch (SyncBatchNorm). That
exists for CUDA only, so on the CPU each process normalises by the statistics of its own share, and
the running statistics of process 0 are the ones that are broadcast, averaged and shipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

# The others wait for process 0 while it decodes a corpus.
_LONGEST_WAIT = timedelta(hours=24)


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def share_of(self, batch: Tensor) -> Tensor:
        """This process's part of a batch's rows (n, ...).

        Every count-th row; where the rows do not divide, the first ones are taken again, so that
        all shares are of one size and no process is left without work.
        """
        size = -(-len(batch) // self.count)
        return batch[(torch.arange(size) * self.count + self.rank) % len(batch)]

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes, in each of them."""
        if self.count > 1:
            distributed.all_reduce(value)
            value /= self.count
        return value

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            distributed.barrier()

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do ``work`` in the first process, and then in the others: they find its results on
        disk."""
        if not self.is_first:
            self.wait()
        done = work()
        if self.is_first:
            self.wait()
        return done

    def spread(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network as it is trained: with gradients averaged over the processes.

        Layers are changed in place where normalisation must be synchronised; the weights are the
        given network's own.
        """
        if self.count == 1:
            return network
        if device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        # Heads that a loss does not ask for get no gradients.
        return DistributedDataParallel(
            network,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=True,
        )

    def unify(self, network: nn.Module) -> None:
        """Give every process the weights and statistics of the first one's network."""
        if self.count > 1:
            for tensor in network.state_dict().values():
                distributed.broadcast(tensor, src=0)


ALONE = Processes()


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started; ``ALONE`` where it started none.

    CUDA processes talk through NCCL, the others through gloo. Raises ValueError for a device on
    which several processes cannot work together.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"{count} processes cannot train together on {device.type!r}: take cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo", timeout=_LONGEST_WAIT
    )
    try:
        yield Processes(rank=distributed.get_rank(), count=count)
        # Nobody leaves while others may still talk to him: gloo's threads abort the process then.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def has_fast_16_bits(device: torch.device) -> bool:
    """Whether products of bfloat16 matrices are several times as fast as those of 32 bits."""
    if device.type == "cpu":
        return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    return device.type == "cuda"


def pick_device(name: str) -> torch.device:
    """The device called ``name``; "auto" takes CUDA, then MPS, then the CPU.

    Under torchrun each process gets the graphics card of its own number. Raises ValueError if
    there is no such device, or if there are more processes than cards.
    """
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        elif torch.backends.mps.is_available() and "LOCAL_RANK" not in os.environ:
            name = "mps"
        else:
            name = "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"there is no device {name!r}: auto, cpu, cuda and mps are known") from (
            error
        )
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("no CUDA graphics card is usable here; --device cpu works everywhere")
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"process {local + 1} on this machine finds only {torch.cuda.device_count()} "
                "graphics cards: start one process a card"
            )
        if device.index is None:
            device = torch.device("cuda", local)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("MPS is not available here; --device cpu works everywhere")
    return device
