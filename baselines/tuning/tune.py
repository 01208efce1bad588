"""Tuning: options proposed, played on the validation split, logged; from the log on, as if it had never been stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from baselines.tuning.log import FORMAT, Log, Trial, read_log, require_same_head
from baselines.tuning.proposals import Proposals
from baselines.tuning.trials import MOST_WORKERS, SPLIT, Evaluator, Options
from sageserve_env.errors import InputError, shown
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.evaluation.ranges import Axis, axes, options_at, tunable_of
from sageserve_env.identity import digest
from sageserve_env.scenarios import Problem
from sageserve_env.scenarios.options import check_variant
from sageserve_env.world.checks import require_count, require_within

MOST_TRIALS = 1_000_000
LONGEST_H = 24.0 * 366

INFEASIBLE, REFUSED = 1e9, 1e12
"""Scores of what misses a level, times one and how much it misses, and of what cannot be played: far above any dollars."""


@dataclass(frozen=True)
class Task:
    """What is tuned on what.

    Attributes:
        policy: Name of an installed policy that declares ``TUNABLE``.
        problem: Whose validation split is played.
        fixed: Options that stay as they are.
        seed: Of the proposals; episodes have their own.
        hours: Hours of each episode; None: all.
        variant: Which of the perturbations of each day is played; None: all.
        dimensions: What is sought: the ranges that the policy declares, but for what is fixed.

    Raises:
        InputError: There is no such policy or option, it declares nothing to tune, or a number is out of its range.
    """

    policy: str
    problem: Problem
    fixed: Options = field(default_factory=dict)
    seed: int = 0
    hours: float | None = None
    variant: int | None = None
    dimensions: tuple[Axis, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check."""
        require_count("seed", self.seed, 0, 2**63 - 1)
        if self.hours is not None:
            require_within("hours", self.hours, 1e-3, LONGEST_H, "hours")
        if "tuned" in self.fixed:
            raise InputError(f"tuned = {shown(self.fixed['tuned'])} cannot stay fixed; give the options that are to stay")
        tunable = tunable_of(load_policy(self.policy, **self.fixed), self.policy)
        free = {name: span for name, span in tunable.items() if name not in self.fixed}
        if not free:
            raise InputError(f"policy = '{self.policy}': all that may be tuned is fixed: {', '.join(tunable)}; leave one out")
        object.__setattr__(self, "dimensions", axes(free, self.problem.world()))
        part = self.problem.split(SPLIT)
        if not part.held_out():
            raise InputError(f"problem = '{self.problem.name}' lists no validation episodes; give one whose split has variants")
        if self.variant is not None:
            check_variant(self.variant, len(part.variants), f"split '{SPLIT}' of '{self.problem.name}'")

    @property
    def episodes(self) -> list[Options]:
        """Options of the validation episodes that are played."""
        every: list[Options] = [dict(each) for each in self.problem.split(SPLIT).held_out()]
        return [each for each in every if self.variant is None or each["variant"] == self.variant]

    @property
    def horizon_s(self) -> float | None:
        """Seconds of each episode; None: the problem's."""
        return None if self.hours is None else 3600.0 * self.hours

    def head(self, evaluator: Evaluator) -> dict[str, Any]:
        """What decides the trials, by the names of ``log.HEAD``."""
        return {
            "format": FORMAT,
            "policy": self.policy,
            "fixed": self.fixed,
            "env": self.problem.id,
            "problem": digest(evaluator.env.setup.identity, repr(self.problem.split(SPLIT)), self.problem.breach_prices_usd),
            "split": SPLIT,
            "episodes": evaluator.episodes,
            "episode_seed": EPISODE_SEED,
            "horizon_s": evaluator.env.setup.problem.horizon_s,
            "seed": self.seed,
            "ranges": [asdict(axis) for axis in self.dimensions],
        }

    def command(self, budget: int) -> str:
        """The command that makes the same log."""
        options = "".join(f":{name}={json.dumps(value)}" for name, value in self.fixed.items())
        hours = "" if self.hours is None else f" --hours {self.hours:g}"
        variant = "" if self.variant is None else f" --variant {self.variant}"
        chosen = f"--policy {self.policy}{options} --env {self.problem.id}{hours}{variant}"
        return f"sageserve tune {chosen} --budget {budget} --seed {self.seed}"


def tune(
    task: Task, budget: int, *, out: Path | None = None, workers: int = 1, report: Callable[[Log], None] = lambda _: None
) -> Log:
    """Tune a policy; the same task and budget give the same log, bit for bit, however many workers and interruptions.

    Args:
        task: What on what.
        budget: Trials, each of which plays every validation episode. The first is the policy with its own options.
        out: Log to write after each batch, and to go on from where it is there; one of more trials is left as it is.
        workers: Processes that play.
        report: Called after each batch.

    Raises:
        InputError: A number is out of its range, the log is of another tuning, or the extra ``tune`` is not installed.
    """
    require_count("budget", budget, 1, MOST_TRIALS)
    require_count("workers", workers, 1, MOST_WORKERS)
    proposals = Proposals(len(task.dimensions), task.seed)
    evaluator = Evaluator(task.policy, task.problem, task.episodes, task.horizon_s, workers)
    try:
        log = Log(task.head(evaluator), task.command(budget))
        old = [] if out is None or not out.exists() else recorded(log, out)
        known = {key_of(trial.options): trial for trial in reversed(old)}
        extend(log, [{}], task, evaluator, known)
        while len(log.trials) < budget:
            places = proposals.ask()
            tried = [options_at(place, task.dimensions) for place in places][: budget - len(log.trials)]
            new = extend(log, tried, task, evaluator, known)
            report(log)
            if len(new) == len(places):
                proposals.tell(places, [score_of(trial) for trial in new])
            if out is not None and len(log.trials) > len(old):
                log.write(out)
        if out is not None and len(log.trials) > len(old):
            log.write(out)
    finally:
        evaluator.close()
    return log


def recorded(log: Log, out: Path) -> list[Trial]:
    """The trials of a log on disk.

    Raises:
        InputError: It is of another tuning.
    """
    old = read_log(out)
    require_same_head(old, log.head, out)
    return old.trials


def extend(log: Log, tried: list[Options], task: Task, evaluator: Evaluator, known: dict[str, Trial]) -> list[Trial]:
    """Add trials to a log; options that are known are not played again."""
    fresh = {key_of(options): options for options in tried if key_of(options) not in known}
    played = evaluator.play([{**task.fixed, **options} for options in fresh.values()])
    for key, episodes in zip(fresh, played, strict=True):
        known[key] = Trial.of(0, fresh[key], episodes)
    first = len(log.trials)
    new = []
    for number, options in enumerate(tried, first):
        same = known[key_of(options)]
        new.append(Trial(number, options, same.usd, same.shortfall, same.refused, same.episodes))
    log.trials += new
    return new


def key_of(options: Options) -> str:
    """Options as a key."""
    return json.dumps(options, sort_keys=True)


def score_of(trial: Trial) -> float:
    """The rank of a trial as one number: less is better."""
    kind, first, _ = trial.rank
    return float(np.array([first, INFEASIBLE * (1.0 + first), REFUSED])[kind])
