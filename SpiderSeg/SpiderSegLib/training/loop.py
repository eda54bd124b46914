"""The training loop: learning rate, forward, backward, step, log, evaluate, checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import Cancelled, TrainingError
from SpiderSegLib.inference import device_of, resolve_device
from SpiderSegLib.processes import joined, wait_for_all, with_averaged_gradients
from SpiderSegLib.ranks import Rank
from SpiderSegLib.stages import CancelCallback
from SpiderSegLib.training.curves import draw_curves
from SpiderSegLib.training.journal import Journal
from SpiderSegLib.training.recipe import Recipe, forward
from SpiderSegLib.training.state import TrainingState

#: Files in the output folder.
BEST, LAST, METRICS, CURVES = "best.pt", "last.pt", "metrics.jsonl", "curves.png"

#: Called after every step with its record in the journal.
StepCallback = Callable[[Mapping[str, Any]], None]


def train(
    recipe: Recipe,
    out: Path,
    device: str = "auto",
    resume: bool = False,
    rank: Rank | None = None,
    weights: Mapping[str, Tensor] | None = None,
    on_step: StepCallback | None = None,
    is_cancelled: CancelCallback | None = None,
) -> Path:
    """Trains by a recipe and returns the path of the best checkpoint.

    `out` gets best.pt, last.pt, metrics.jsonl and curves.png. With `resume` a run goes on from last.pt: on the CPU with exactly the
    weights it would have had, on a GPU up to the order of its sums; processes on several machines need a shared `out`. `weights`
    are what a new run starts from instead of chance. `on_step` takes the place of the bar; `is_cancelled` is asked after every step
    of a run of one process. Raises TrainingError when the loss stays non-finite, there is nothing to resume, or `out` holds a run
    that is not to be resumed; OutputError when there is no space: the last checkpoint then stays; Cancelled once the step is saved.
    """
    config, rank = recipe.config, rank or Rank()
    device = device_of(rank, resolve_device(device))
    precision = recipe.precision(device)
    _make_run_folder(out, resume)
    with joined(rank, device):
        torch.manual_seed(config.seed)
        state = TrainingState.start(recipe.build_network(), config, device, precision, weights)
        journal = Journal(out / METRICS)
        identity = {**recipe.identity, "processes": str(rank.world)}
        if resume:
            state.load(out / LAST, identity)
        if rank.is_first:
            journal.forget_after(state.step)
        network = with_averaged_gradients(state.network, rank)
        batches = recipe.batches(state.step, rank)
        progress = tqdm(total=config.steps, initial=state.step, desc="training", unit="step", disable=not rank.is_first or on_step is not None)
        while state.step < config.steps:
            rate = config.rate_at(state.step)
            state.set_learning_rate(rate)

            image, targets, names = next(batches)
            logits = forward(network, image, device, precision)
            loss = recipe.loss(logits, tuple(target.to(device) for target in targets), rank)

            state.optimizer.zero_grad(set_to_none=True)
            state.scaler.scale(loss).backward()
            state.scaler.unscale_(state.optimizer)
            norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.gradient_norm)
            if torch.isfinite(loss) and torch.isfinite(norm):
                state.scaler.step(state.optimizer)
                state.average(config.ema_decay)
                state.skipped = 0
            else:
                state.skip(names, loss.item(), norm.item())
            state.scaler.update()

            state.step += 1
            progress.update()
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            record: dict[str, Any] = {"step": state.step, "loss": loss.item(), "norm": norm.item(), "lr": rate, "skipped": state.skipped_in_all}
            is_last = state.step == config.steps
            if is_last or state.step % config.evaluate_every == 0:
                record["validation"] = _evaluate(recipe, state, device, rank, out)
            if rank.is_first:
                journal.append(record)
                if "validation" in record:
                    draw_curves(journal.records(), out / CURVES)
                is_stopping = is_cancelled is not None and is_cancelled() and not is_last
                if is_last or is_stopping or state.step % config.checkpoint_every == 0:
                    state.save(out / LAST, identity)
                if on_step is not None:
                    on_step(record)
                if is_stopping:
                    raise Cancelled(f"stopped on request after step {state.step} of {config.steps}; the same command goes on from there")
        progress.close()
        wait_for_all(rank)
    return out / BEST


def _evaluate(recipe: Recipe, state: TrainingState, device: str, rank: Rank, out: Path) -> dict[str, float]:
    """Scores the averaged weights and keeps them as best.pt when their mean is the highest so far, or nothing was scored."""
    scores = recipe.validate(state.averaged, state.step, device, rank)
    is_best = not scores or scores["mean"] > state.best
    state.best = max(scores.get("mean", state.best), state.best)
    if rank.is_first and is_best:
        recipe.save(out / BEST, state.averaged, state.step, scores)
    if rank.is_first and scores:
        tqdm.write(f"step {state.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()), file=sys.stderr)
    return scores


def _make_run_folder(out: Path, resume: bool) -> None:
    make_folder(out)
    if not resume and (out / LAST).exists():
        raise TrainingError(f"{out} holds a run already; --resume goes on with it, or choose another folder")
