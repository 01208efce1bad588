"""One training: an algorithm, a problem, a seed, from the start or from its checkpoint to the last step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.logger import Logger, configure
from stable_baselines3.common.utils import set_random_seed

from agents.common.log import LOG, NOTHING, Clock, Log
from agents.common.scoring import Scores, Validation, rank_of
from agents.inference.saved import pack, save_agent
from agents.residual import Followed
from agents.training.algorithms import LARGEST_SEED, Algorithm, algorithm_named
from agents.training.checkpoint import MODEL, SEEN, Run, checkpoints, read_checkpoint, restored, write_checkpoint
from agents.training.export import exported
from agents.training.models import new_model
from agents.training.recorder import Recorder, Report
from agents.training.recurrent import Remembering
from agents.training.settings import Settings
from agents.training.vector import Normalised, training_envs
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Agent
from sageserve_env.evaluation.locked.protocol import dynamics_digest
from sageserve_env.files.writing import whole_folder
from sageserve_env.scenarios import load_problem
from sageserve_env.world.checks import require_count

BEST, LAST, TENSORBOARD = "best", "last", "tensorboard"


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes:
        algo: Name of an algorithm.
        problem: Name of a problem.
        seed: Of weights, actions and episodes, 0 to 2**32 - 1.
        steps: Environment steps in all; rounded up to whole updates.
        settings: How.
        device: PyTorch's name of it, such as ``"cpu"`` or ``"cuda"``.
        num_threads: That step the environments; None: one for each core.
        command: That began it, for the card.
    """

    algo: str
    problem: str
    seed: int
    steps: int
    settings: Settings
    device: str = "cpu"
    num_threads: int | None = None
    command: str = ""

    @property
    def run(self) -> Run:
        """What a checkpoint must be of."""
        return Run(self.algo, self.problem, self.seed, self.settings.packed())


def train(plan: Plan, out: Path, *, resume: bool = False, report: Report = lambda steps, days_per_s: None) -> list[dict[str, Any]]:
    """Train an agent into a folder: ``last`` and ``best`` agents, a checkpoint, and a log.

    The same plan gives the same agent, bit for bit, on one kind of processor. One that was killed goes on, with ``resume``, from
    its checkpoint with other episodes: nothing but what came after the checkpoint is lost, but it is not the uninterrupted one.

    Args:
        plan: What.
        out: Folder.
        resume: Go on from the folder's checkpoint.
        report: Told of steps and simulated days a second, after each update.

    Returns:
        Steps and validation scores of the evaluations.

    Raises:
        InputError: A setting cannot be used; the folder is taken, or has nothing of this plan to resume.
    """
    require_count("--seeds", plan.seed, 0, LARGEST_SEED)
    require_count("--steps", plan.steps, 1)
    algorithm = algorithm_named(plan.algo)
    checkpoint, found = begun(plan, out, resume)
    torch.set_num_threads(1)  # two on small networks and busy cores are up to three times as slow
    envs, seen = training_envs(plan.problem, plan.settings, plan.seed + found["steps"], plan.num_threads)
    validation = validation_of(plan)
    try:
        model = prepared(plan, algorithm, envs, seen, checkpoint)
        log, clock = Log(out / LOG, found["steps"]), Clock(found["spent"])
        keeper = Keeping(plan, algorithm, model, seen, validation, out, log, clock)
        recorder = Recorder(
            log,
            clock,
            keeper,
            every=plan.settings.checkpoint_every if algorithm.has_buffer else 0,
            evaluate_every=plan.settings.evaluate_every,
            interval_s=interval_s(plan),
            report=report,
        )
        model.set_logger(logger(out))
        model.learn(plan.steps - found["steps"], callback=recorder, reset_num_timesteps=False)
    finally:
        envs.close()
        validation.close()
    return log.curve()


def begun(plan: Plan, out: Path, resume: bool) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint that a training goes on from, if it does, with the steps and seconds behind it.

    Raises:
        InputError: The folder is taken, or has nothing of the plan to resume.
    """
    if resume:
        checkpoint, found = read_checkpoint(out, plan.run)
        if found["steps"] >= plan.steps:
            raise InputError(f"--steps = {plan.steps}: '{out}' has been trained for {found['steps']}; give more to resume")
        return checkpoint, found
    if checkpoints(out):
        raise InputError(f"--out: '{out}' holds a training already; add --resume, or choose another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out = '{out}' cannot be made ({error.strerror}); choose another folder") from None
    return None, {"steps": 0, "spent": NOTHING}


def prepared(plan: Plan, algorithm: Algorithm, envs: Any, seen: Normalised, checkpoint: Path | None) -> Any:
    """A new model, or that of a checkpoint, with random numbers of its own for what is to come."""
    if checkpoint is None:
        return new_model(algorithm, plan.settings, envs, plan.seed, plan.device)
    model = restored(checkpoint, algorithm, envs, seen, plan.device)
    onward = (plan.seed + int(model.num_timesteps)) % (LARGEST_SEED + 1)
    set_random_seed(onward)
    envs.seed(onward)
    model.action_space.seed(onward)
    return model


def logger(out: Path) -> Logger:
    """Writes for TensorBoard where it is installed; the log of the training is the recorder's."""
    return configure(str(out / TENSORBOARD), ["tensorboard"]) if find_spec("tensorboard") else Logger(None, [])


def interval_s(plan: Plan) -> float:
    """Simulated seconds of a step."""
    return float(plan.settings.environment.get("control_interval_s") or load_problem(plan.problem).control_interval_s)


def validation_of(plan: Plan) -> Validation | Followed:
    """Where its agents are compared: those that correct a reference are controllers, and follow it."""
    settings = plan.settings
    if settings.residual is not None:
        return Followed(plan.problem, settings.evaluate_episodes, **settings.scored)
    return Validation(plan.problem, settings.evaluate_episodes, plan.num_threads, **settings.scored)


class Keeping:
    """What is kept of a training: its agents, its checkpoint.

    Args:
        plan: What is trained.
        algorithm: By which algorithm.
        model: That learns.
        seen: What was seen of observations and rewards.
        validation: Where agents are compared.
        out: Folder.
        log: Of the training.
        clock: Of the training.
    """

    def __init__(
        self,
        plan: Plan,
        algorithm: Algorithm,
        model: Any,
        seen: Normalised,
        validation: Validation | Followed,
        out: Path,
        log: Log,
        clock: Clock,
    ) -> None:
        self._plan, self._algorithm, self._model, self._seen = plan, algorithm, model, seen
        self._validation, self._out, self._log, self._clock = validation, out, log, clock
        self._dynamics = dynamics_digest(load_problem(plan.problem))

    def evaluate(self) -> Scores:
        """Play the validation episodes, as the agent would be shipped."""
        if isinstance(self._validation, Followed):
            return self._validation.play(self._exported())
        return self._validation.play(self._new_agent())

    def keep(self, scores: Scores) -> None:
        """Save the agent as the last one, and as the best one if it is."""
        earlier = [rank_of(point) for point in self._log.curve()]
        self._save(self._out / LAST, scores)
        if rank_of(scores.told()) < min(earlier, default=(2, 0.0, 0.0)):
            self._save(self._out / BEST, scores)

    def checkpoint(self) -> None:
        """Write a checkpoint."""
        write_checkpoint(self._out, self._plan.run, self._model, self._seen, self._algorithm, self._clock.spent())

    def _new_agent(self) -> Callable[[], Agent]:
        if self._algorithm.is_recurrent:
            return lambda: Remembering(self._model, self._plan.settings, self._seen)
        agent = self._exported()
        return lambda: copy.copy(agent)

    def _exported(self) -> Any:
        return exported(self._model, self._plan.settings, self._seen)

    def _save(self, folder: Path, scores: Scores) -> None:
        if self._algorithm.is_recurrent:  # it has no form without PyTorch
            with whole_folder(folder, MODEL) as fresh:
                self._model.save(fresh / MODEL)
                (fresh / SEEN).write_bytes(pack(self._seen.state()))
            return
        agent = self._exported()
        curve = [*self._log.curve(), {"steps": int(self._model.num_timesteps), **scores.told()}]
        facts: dict[str, Any] = {"training": self._told(), "validation": scores.told(), "scores": None, "known_failures": []}
        save_agent(folder, agent, self._plan.problem, curve=curve, **facts)

    def _told(self) -> dict[str, Any]:
        """What a card tells of the training."""
        plan = self._plan
        return {
            "command": plan.command,
            "algo": plan.algo,
            "seed": plan.seed,
            "steps": int(self._model.num_timesteps),
            **{name: round(value, 1) for name, value in self._clock.spent().items()},
            "device": plan.device,
            "dynamics_digest": self._dynamics,
            "settings": plan.settings.packed(),
        }
