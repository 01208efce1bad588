"""Masked PPO (sb3-contrib): trained on a problem's train days, scored on its test days. Needs the extra ``agents``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed

from agents.held_out import Act, Costs, at_random, evaluate, hold
from agents.settings import Settings
from sageserve_env.adapters.sb3 import SB3VecEnv
from sageserve_env.env.actions import MAX_DELTA
from sageserve_env.errors import InputError
from sageserve_env.world.checks import require_count
from sageserve_env.writing import whole_file, write_text

__all__ = ["LOG", "MODEL", "RESULTS", "Settings", "acting", "evaluate", "read_model", "scores", "train"]

MODEL, LOG, RESULTS = "model.zip", "log.jsonl", "results.json"
"""Files of a training: the latest agent, a row for each update, and the costs on the test days."""

Report = Callable[[int], None]
"""Called after each update with the steps taken."""


@dataclass(frozen=True)
class LinearDecay:
    """A learning rate that falls linearly from ``start`` to a tenth of it."""

    start: float

    def __call__(self, remaining: float) -> float:
        """The rate where a share ``remaining`` of the training is left."""
        return self.start * (0.1 + 0.9 * remaining)


def train(
    problem: str,
    out: Path,
    *,
    steps: int,
    seed: int = 0,
    settings: Settings | None = None,
    resume: bool = False,
    report: Report | None = None,
    **config: Any,
) -> MaskablePPO:
    """Train an agent; the folder gets ``MODEL``, every few updates and at the end, and ``LOG``.

    The same arguments give the same agent, bit for bit, on one kind of CPU. A resumed training goes on with the saved weights and
    optimiser on other episodes; it is not the uninterrupted one.

    Args:
        problem: Name of a problem, e.g. ``"mini"``.
        out: Folder to write.
        steps: Environment steps in all, those before a resumption included; rounded up to whole updates.
        seed: Seed of the net, of the actions and of the episodes, >= 0.
        settings: Of PPO; when resuming, ``n_envs`` and ``max_delta`` must be those of the first run.
        resume: Go on from the folder's checkpoint.
        report: Called after each update.
        **config: Further arguments of the environments (``sageserve_env.env.config.Config``).

    Raises:
        InputError: An argument cannot be used; there is nothing, or nothing more, to resume; or a training is there already.
    """
    require_count("steps", steps, 1)
    settings = settings or Settings()
    check_folder(out, resume)
    torch.set_num_threads(1)
    envs = SB3VecEnv(settings.n_envs, problem=problem, split="train", max_delta=settings.max_delta, **config)
    try:
        model = resumed(out / MODEL, envs, seed, steps) if resume else created(envs, seed, settings)
        model.learn(steps - model.num_timesteps, callback=Recorder(out, settings.save_every, report), reset_num_timesteps=False)
    finally:
        envs.close()
    save(model, out / MODEL)
    return model


def scores(problem: str, model: MaskablePPO, **config: Any) -> dict[str, Costs]:
    """Costs on the test days, in dollars, of the agent, of random actions, and of the fleet held as it starts."""
    choices = model.action_space.nvec
    n_fleets, max_delta = len(choices), int(choices[0]) // 2
    return {
        "ppo": evaluate(problem, acting(model), max_delta=max_delta, **config),
        "random": evaluate(problem, at_random(n_fleets, MAX_DELTA), max_delta=MAX_DELTA, **config),
        "static, as it starts": evaluate(problem, hold(n_fleets, max_delta), max_delta=max_delta, **config),
    }


def acting(model: MaskablePPO) -> Act:
    """The likeliest action of an agent."""

    def act(observations: Any, masks: NDArray[np.bool_]) -> NDArray[Any]:
        return np.asarray(model.predict(observations, action_masks=masks, deterministic=True)[0])

    return act


def check_folder(out: Path, resume: bool) -> None:
    """Make the folder.

    Raises:
        InputError: A training is in it and is not to be resumed, or is to be resumed and is not in it; or it cannot be made.
    """
    model = out / MODEL
    if resume and not model.is_file():
        raise InputError(f"resume: there is no checkpoint '{model}'; name the folder of an earlier training, or leave resume out")
    if not resume and model.exists():
        raise InputError(f"out: '{model}' is there already; resume it, or choose another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out = '{out}' cannot be made ({error.strerror}); choose another folder") from None


def created(envs: SB3VecEnv, seed: int, settings: Settings) -> MaskablePPO:
    """A new agent that mostly holds the fleet."""
    model = MaskablePPO(
        "MlpPolicy" if envs.observation_space.shape else "MultiInputPolicy",
        envs,
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        ent_coef=settings.ent_coef,
        learning_rate=LinearDecay(settings.learning_rate),
        policy_kwargs={"net_arch": [settings.hidden, settings.hidden]},
        seed=seed,
        device="cpu",
    )
    with torch.no_grad():
        choices = 2 * settings.max_delta + 1
        model.policy.action_net.bias[settings.max_delta :: choices] = settings.hold_logit
    return model


def read_model(path: Path, envs: SB3VecEnv | None = None) -> MaskablePPO:
    """The agent of a checkpoint.

    Raises:
        InputError: The file cannot be read as one, or its agent is for other environments.
    """
    try:
        return MaskablePPO.load(path, env=envs, device="cpu")
    except Exception as error:  # a torn zip file, a missing entry or unlike spaces each raise a class of their own
        raise InputError(f"'{path}' cannot be read as a checkpoint ({error}); train anew in another folder") from None


def resumed(path: Path, envs: SB3VecEnv, seed: int, steps: int) -> MaskablePPO:
    """The agent of a checkpoint, with random numbers of its own for what is to come.

    Raises:
        InputError: It cannot be read, or has been trained for as many steps.
    """
    model = read_model(path, envs)
    if model.num_timesteps >= steps:
        raise InputError(f"steps = {steps}: '{path}' has been trained for {model.num_timesteps}; give more to resume")
    onward = seed + model.num_timesteps
    set_random_seed(onward)
    envs.seed(onward)
    return model


def save(model: BaseAlgorithm, path: Path) -> None:
    """Replace a checkpoint by a complete one."""
    with whole_file(path) as part:
        model.save(part)


class Recorder(BaseCallback):
    """Writes the log after each update, and a checkpoint every few."""

    def __init__(self, out: Path, save_every: int, report: Report | None) -> None:
        super().__init__()
        self._out, self._save_every, self._report = out, save_every, report
        self._updates, self._began_s = 0, time.perf_counter()

    def _on_rollout_start(self) -> None:
        if self._updates:
            self._record()
            if self._updates % self._save_every == 0:
                save(self.model, self._out / MODEL)
        self._updates += 1

    def _on_training_end(self) -> None:
        self._record()

    def _on_step(self) -> bool:
        return True

    def _record(self) -> None:
        returns = [episode["r"] for episode in self.model.ep_info_buffer or []]
        row = {
            "steps": self.num_timesteps,
            "train_s": round(time.perf_counter() - self._began_s, 1),
            "mean_return": float(np.mean(returns)) if returns else None,
        }
        log = self._out / LOG
        before = log.read_text(encoding="utf-8") if log.exists() else ""
        write_text(log, f"{before}{json.dumps(row)}\n")
        if self._report is not None:
            self._report(self.num_timesteps)
