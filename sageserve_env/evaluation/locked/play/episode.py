"""One held-out episode of a policy behind its wall: the environment is here, and what the policy is told goes over by value."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.locked.actions import Packed, Said, digested, packed
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.briefing import briefing
from sageserve_env.evaluation.locked.play.measured import Measured, measured
from sageserve_env.evaluation.locked.play.turns import AgentTurns, ControllerTurns
from sageserve_env.evaluation.locked.protocol import Episode, Limits, policy_seed, rolled
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, episode_score
from sageserve_env.scenarios import Scenario


@dataclass(frozen=True)
class Failure:
    """Why an episode has no score.

    Attributes:
        step: The decision that failed, from 0 on; -1: before the first.
        exception: Class of what the policy raised, ``TimeLimit``, ``ProcessEnded`` or ``Nonsense``.
        message: What is to be said of it.
    """

    step: int
    exception: str
    message: str


@dataclass(frozen=True)
class Row:
    """One episode of an evaluation.

    Attributes:
        episode: Its options.
        steps: Decisions that were carried out.
        is_overfull: It ended early, as too many requests were in the system.
        terms: Sums of ``rewards.TERMS``.
        measured: What else was measured, by the names of :data:`~sageserve_env.evaluation.locked.play.measured.MEASURED`.
        actions, outcomes: Rolling digests of what was decided and of the terms of each step.
        times: Seconds of the ``reset`` and of a decision (mean, 95 % and most), as the policy's process tells them; and from the
            episode's begin to its end, in which another may have been played in turn. The one thing that another run does not give
            again.
        failure: Why it counts for nothing, or None.
        anchors: What they cost in the same episode, see :class:`~sageserve_env.evaluation.locked.play.anchors.Anchors`, or None.
        log: What was decided, to be done again; in a file of its own (``logs.py``). None where the episode failed.
    """

    episode: Episode
    steps: int
    is_overfull: bool
    terms: dict[str, float]
    measured: Measured
    actions: str
    outcomes: str
    times: dict[str, float]
    failure: Failure | None = None
    anchors: dict[str, Any] | None = None
    log: Packed | None = field(default=None, repr=False, compare=False)

    @property
    def score(self) -> EpisodeScore:
        """What it is worth."""
        return EpisodeScore(self.terms, self.is_overfull)

    @property
    def normalised(self) -> float | None:
        """Its dollars between the anchors, 0 to 1 and beyond; None without anchors, or where hindsight is not the cheaper one."""
        if self.anchors is None or self.anchors["hindsight_usd"] >= self.anchors["reactive_usd"]:
            return None
        above, below = self.anchors["reactive_usd"], self.anchors["hindsight_usd"]
        return float((above - self.score.usd) / (above - below))

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Row:
        """From a result's file."""
        return cls(**{**facts, "failure": None if facts["failure"] is None else Failure(**facts["failure"])})

    def packed(self) -> dict[str, Any]:
        """For a result's file."""
        return {name: value for name, value in asdict(self).items() if name != "log"}


@dataclass
class Course:
    """An episode so far: the next decision (-1: none was asked for), decisions and terms; seconds that were seen, and told."""

    step: int = -1
    said: list[Said] = field(default_factory=list)
    terms: list[list[float]] = field(default_factory=list)
    seen_s: float = 0.0
    reset_s: float = 0.0
    decisions_s: list[float] = field(default_factory=list)

    def times(self) -> dict[str, float]:
        """Seconds of the ``reset`` and of a decision: mean, 95 % and most."""
        taken = np.array(self.decisions_s or [0.0])
        mean, late, most = float(taken.mean()), float(np.quantile(taken, 0.95)), float(taken.max())
        return {"reset_s": self.reset_s, "decision_mean_s": mean, "decision_p95_s": late, "decision_max_s": most}


Playing = Generator[None, None, Row]
"""An episode under way: it stops whenever the policy was asked something, and when it goes on, it waits for the answer."""


def play_locked(
    env: FleetEnv,
    entrant: Entrant,
    known: Described,
    episode: Episode,
    limits: Limits,
    is_bound: bool,
    seed: int = EPISODE_SEED,
) -> Row:
    """Play an episode with a new process, from begin to end.

    Args:
        env: Of the test split, with the policy's view.
        entrant: Who plays.
        known: What it said of itself when it was first loaded.
        episode: Which one.
        limits: How long it may take.
        is_bound: Show it the traffic to come.
        seed: Of ``reset``.
    """
    process = PolicyProcess(entrant)
    try:
        return finished(playing(env, process, known, episode, limits, is_bound, seed))
    finally:
        process.close()


def finished(under_way: Playing) -> Row:
    """The row of an episode that is played to its end."""
    while True:
        try:
            next(under_way)
        except StopIteration as end:
            row: Row = end.value
            return row


def playing(
    env: FleetEnv,
    process: PolicyProcess,
    known: Described,
    episode: Episode,
    limits: Limits,
    is_bound: bool,
    seed: int = EPISODE_SEED,
) -> Playing:
    """Play an episode, and stop where the policy thinks; arguments as of :func:`play_locked`, and a new process."""
    begun_s, course, failure, is_over = time.perf_counter(), Course(), None, False
    try:
        observation, _ = env.reset(seed=seed, options=dict(episode))
        player = AgentTurns(env, process, observation) if known.kind == "agent" else ControllerTurns(env, process)
        process.ask(limits.start_s, "load")
        yield
        process.described()
        ask_to_begin(env, process, player, episode, limits, is_bound)
        yield
        process.answer()
        course.step, course.reset_s = 0, process.took_s
        while not is_over:
            player.ask(min(limits.decision_s, limits.episode_s - course.seen_s))
            yield
            course.said.append(player.decision())
            course.decisions_s.append(process.took_s)
            course.seen_s += process.seen_s
            if course.seen_s > limits.episode_s:
                raise PolicyFailure("TimeLimit", f"its decisions took more than {limits.episode_s:g} s together")
            is_over, info = player.follow()
            course.terms.append([info[name] for name in TERMS])
            course.step += 1
    except PolicyFailure as error:
        failure = Failure(course.step, error.kind, error.message)
    score = episode_score(env)
    digests = rolled([digested(said) for said in course.said]), rolled(course.terms)
    times = course.times() | {"wall_s": time.perf_counter() - begun_s}
    terms, log = dict(score.terms), packed(course.said) if failure is None else None
    return Row(episode, max(course.step, 0), score.is_overfull, terms, measured(env), *digests, times, failure, log=log)


def ask_to_begin(
    env: FleetEnv,
    process: PolicyProcess,
    player: AgentTurns | ControllerTurns,
    episode: Episode,
    limits: Limits,
    is_bound: bool,
) -> None:
    """Tell a policy that an episode begins, and all that it may know of it.

    Raises:
        PolicyFailure: Its process has ended.
    """
    problem, played = env.setup.problem, env.episode
    seed = policy_seed(problem, episode)
    if isinstance(player, AgentTurns):
        process.ask(limits.reset_s, "begin_agent", seed, player.layout)
    elif is_bound:
        scenario = Scenario(problem.name, env.setup.world, played.workload, problem.control_interval_s)
        future = played.workload, played.workload_seed
        process.ask(limits.reset_s, "begin_controller", scenario, seed, future, player.layout, player.reply)
    else:
        process.ask(limits.reset_s, "begin_controller", briefing(problem, played, seed), seed, None, player.layout, player.reply)
