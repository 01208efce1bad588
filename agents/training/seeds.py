"""Several seeds of one training, one after the other or side by side, a folder and a process each."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from agents.common.log import LOG, curve_of, folder_of, read_log
from agents.training.checkpoint import checkpoints, read_checkpoint
from agents.training.recorder import Report
from agents.training.train import Plan, train
from sageserve_env.errors import InputError
from sageserve_env.world.checks import require_count

MOST_PARALLEL = 256

LOOK_EVERY_S = 1.0

Curves = dict[int, list[dict[str, Any]]]
"""Evaluations of each seed."""


def train_seeds(
    plan: Plan,
    seeds: Sequence[int],
    out: Path,
    *,
    parallel: int = 1,
    resume: bool = False,
    report: Report = lambda steps, days_per_s: None,
) -> Curves:
    """Train each seed into a folder of its own, ``seed-N``.

    Args:
        plan: What; its seed is replaced.
        seeds: Different ones.
        out: Folder of the folders.
        parallel: Seeds at a time; beyond 1 the cores are shared out among their environments.
        resume: Go on from each seed's checkpoint; seeds that have reached their steps stay, and those without one begin.
        report: Told of the steps of all seeds together, and of simulated days a second.

    Raises:
        InputError: As of :func:`agents.training.train.train`, ``parallel`` is out of range, or no seed has anything to resume.
    """
    require_count("--parallel", parallel, 1, MOST_PARALLEL)
    plans = {seed: replace(plan, seed=seed) for seed in seeds}
    if resume and not any(checkpoints(folder_of(out, seed)) for seed in plans):
        raise InputError(f"--resume: '{out}' has no checkpoint of these seeds; name the folder of an earlier training")
    if parallel == 1 or len(plans) == 1:
        return {
            seed: _one(each, folder_of(out, seed), resume, _adding(report, k * plan.steps))
            for k, (seed, each) in enumerate(plans.items())
        }
    threads = max(1, (os.cpu_count() or 1) // min(parallel, len(plans)))
    pool = ProcessPoolExecutor(min(parallel, len(plans)), get_context("spawn"), _begin_worker)
    try:
        jobs = {
            seed: pool.submit(_one, replace(each, num_threads=threads), folder_of(out, seed), resume, None)
            for seed, each in plans.items()
        }
        _watch(list(jobs.values()), [folder_of(out, seed) / LOG for seed in plans], report)
        return {seed: job.result() for seed, job in jobs.items()}
    finally:
        pool.shutdown(cancel_futures=True)


def _one(plan: Plan, out: Path, resume: bool, report: Report | None) -> list[dict[str, Any]]:
    """Train a seed, unless it is done."""
    is_begun = resume and bool(checkpoints(out))
    if is_begun and read_checkpoint(out, plan.run)[1]["steps"] >= plan.steps:
        return curve_of(read_log(out / LOG))
    return train(plan, out, resume=is_begun) if report is None else train(plan, out, resume=is_begun, report=report)


def _adding(report: Report, before: int) -> Report:
    """A report that counts the steps of the seeds before."""
    return lambda steps, days_per_s: report(before + steps, days_per_s)


def _watch(jobs: list[Future[Any]], logs: list[Path], report: Report) -> None:
    """Report from the logs until all are done, or one has failed."""
    left = set(jobs)
    while left:
        done, left = wait(left, LOOK_EVERY_S, FIRST_COMPLETED)
        if any(job.exception() for job in done):
            return
        rows = [read_log(path)[-1:] for path in logs]
        report(sum(row["steps"] for last in rows for row in last), sum(row["days_per_s"] for last in rows for row in last))


def _begin_worker() -> None:
    """Ctrl-C is the parent's to see, and a worker ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
