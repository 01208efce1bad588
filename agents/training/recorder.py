"""What happens while an algorithm learns: rows of the log, evaluations, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from agents.common.log import Clock, Log
from agents.common.scoring import Scores

Report = Callable[[int, float], None]
"""Called with steps taken and simulated days a second."""


class Keeper(Protocol):
    """What is done with a model between two updates."""

    def evaluate(self) -> Scores:
        """Play the validation episodes."""
        ...

    def keep(self, scores: Scores) -> None:
        """Save the agent if it is the best so far."""
        ...

    def checkpoint(self) -> None:
        """Write a checkpoint."""
        ...


class Recorder(BaseCallback):
    """Logs, evaluates and writes checkpoints between updates, so that each is of weights that belong together.

    Args:
        log: Where rows go.
        clock: Of the training.
        keeper: Does the rest.
        every: Steps between two records; 0: after every update.
        evaluate_every: Steps between two evaluations.
        interval_s: Simulated seconds of a step.
        report: Told of every record.
    """

    def __init__(
        self, log: Log, clock: Clock, keeper: Keeper, *, every: int, evaluate_every: int, interval_s: float, report: Report
    ) -> None:
        super().__init__()
        self._log, self._clock, self._keeper, self._report = log, clock, keeper, report
        self._every, self._evaluate_every, self._interval_s = every, evaluate_every, interval_s
        self._recorded = -1
        self._evaluated = max((row["steps"] for row in log.rows if "validation" in row), default=-1)

    def _on_training_start(self) -> None:
        self._began, self._wall_s = self.num_timesteps, time.perf_counter()
        self._recorded = self.num_timesteps if self._log.rows else -1

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._recorded + max(self._every, 1) or self._recorded < 0:
            self.record(is_last=False)

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self.record(is_last=True)

    def record(self, is_last: bool) -> None:
        """Log where the training is; evaluate where it is time to, and at the end; write a checkpoint."""
        steps, row = self.num_timesteps, self._row()
        is_due = self._evaluated < 0 or steps // self._evaluate_every > self._evaluated // self._evaluate_every
        if is_due or (is_last and self._evaluated != steps):
            row["validation"] = self._validated()
        self.logger.dump(steps)
        self._log.add(row)
        self._keeper.checkpoint()
        self._recorded = steps
        self._report(steps, row["days_per_s"])

    def _validated(self) -> dict[str, Any]:
        scores = self._keeper.evaluate()
        self._keeper.keep(scores)
        self._evaluated = self.num_timesteps
        for name, value in scores.told().items():
            if isinstance(value, int | float):
                self.logger.record(f"validation/{name}", value)
        return scores.told()

    def _row(self) -> dict[str, Any]:
        returns = [episode["r"] for episode in self.model.ep_info_buffer or []]
        elapsed_s = max(time.perf_counter() - self._wall_s, 1e-9)
        days = (self.num_timesteps - self._began) * self._interval_s / 86_400.0
        rate = round(days / elapsed_s, 2)
        self.logger.record("time/simulated_days_per_s", rate)
        return {
            "steps": self.num_timesteps,
            **{name: round(value, 2) for name, value in self._clock.spent().items()},
            "days_per_s": rate,
            "mean_return": float(np.mean(returns)) if returns else None,
        }
