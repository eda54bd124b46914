"""Several processes as one run (torchrun): process group, waiting, averaged gradients, the loss over the joint batch."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.parallel import DistributedDataParallel

from SpiderSegLib.errors import TrainingError
from SpiderSegLib.ranks import Rank

Result = TypeVar("Result")

#: How long a process waits for the others: one may have the slow half of a folder, or reads from a slow disk.
LONGEST_WAIT = datetime.timedelta(days=7)


@contextlib.contextmanager
def joined(rank: Rank, device: str) -> Iterator[None]:
    """The process group of several processes: NCCL for GPUs (torch device names), Gloo for CPUs; nothing for one process.

    Raises TrainingError when the processes can't reach each other.
    """
    if rank.world == 1:
        yield
        return
    on_gpu = device != "cpu"
    if on_gpu:  # collectives use the current device
        torch.cuda.set_device(device)
    try:
        dist.init_process_group(
            "nccl" if on_gpu else "gloo",
            rank=rank.number,
            world_size=rank.world,
            timeout=LONGEST_WAIT,
            device_id=torch.device(device) if on_gpu else None,
        )
    except (ValueError, RuntimeError) as error:
        raise TrainingError(f"process {rank.number} of {rank.world} can't join the others: {error}; start all of them with torchrun") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def with_averaged_gradients(network: nn.Module, rank: Rank) -> nn.Module:
    """The network as the loop calls it: its gradients are averaged over the processes during backward."""
    # MONAI's vision transformer holds cross-attention parameters that a UNETR never uses.
    return DistributedDataParallel(network, find_unused_parameters=True) if rank.world > 1 else network


def gathered(tensor: Tensor, rank: Rank) -> Tensor:
    """The tensors (batch, ..) of all processes in one, gradients flowing back to each.

    A Dice over the joint batch is no mean of Dices; each process therefore computes the same loss of everything. Its gradient
    reaches this process's part once from every process, which the average over processes divides away again.
    """
    if rank.world == 1:
        return tensor
    return torch.cat(all_gather(tensor)) if tensor.requires_grad else torch.cat(_gathered_without_gradient(tensor, rank))


def _gathered_without_gradient(tensor: Tensor, rank: Rank) -> list[Tensor]:
    parts = [torch.empty_like(tensor) for _ in range(rank.world)]
    dist.all_gather(parts, tensor.contiguous())
    return parts


def results_of_all(result: Result, rank: Rank) -> list[Result]:
    """What every process found, in the order of the ranks."""
    if rank.world == 1:
        return [result]
    results: list[Result | None] = [None] * rank.world
    dist.all_gather_object(results, result)
    return [result for result in results if result is not None]


def wait_for_all(rank: Rank) -> None:
    """Goes on when every process is here."""
    if rank.world > 1:
        dist.barrier()
