"""One held-out episode of a policy behind its wall: the fleet is here, and what the policy is told goes over by value."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.fleets import Fleet, Fleets
from sageserve_env.evaluation.locked.actions import Packed, Said, all_digested, packed, stacked
from sageserve_env.evaluation.locked.entrant import Described, Entrant
from sageserve_env.evaluation.locked.play.briefing import briefing
from sageserve_env.evaluation.locked.play.measured import Measured, measured
from sageserve_env.evaluation.locked.play.together import Playing, Stop, together
from sageserve_env.evaluation.locked.play.turns import AgentTurns, ControllerTurns
from sageserve_env.evaluation.locked.protocol import Episode, Limits, policy_seed, rolled
from sageserve_env.evaluation.locked.wall.process import PolicyFailure, PolicyProcess
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore, episode_score


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
            episode's begin to its end, in which others were played beside it. The one thing that another run does not give again.
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
    terms: list[NDArray[np.float64]] = field(default_factory=list)
    seen_s: float = 0.0
    reset_s: float = 0.0
    decisions_s: list[float] = field(default_factory=list)

    def times(self) -> dict[str, float]:
        """Seconds of the ``reset`` and of a decision: mean, 95 % and most."""
        taken = np.array(self.decisions_s or [0.0])
        mean, late, most = float(taken.mean()), float(np.quantile(taken, 0.95)), float(taken.max())
        return {"reset_s": self.reset_s, "decision_mean_s": mean, "decision_p95_s": late, "decision_max_s": most}


def play_locked(
    fleets: Fleets,
    entrant: Entrant,
    known: Described,
    episode: Episode,
    limits: Limits,
    is_bound: bool,
) -> Row:
    """Play one episode with a new process.

    Args:
        fleets: One, with the policy's view.
        entrant: Who plays.
        known: What it said of itself when it was first loaded.
        episode: Which one.
        limits: How long it may take.
        is_bound: Show it the traffic to come.
    """
    process = loading(entrant, limits)
    try:
        (row,) = together(fleets, iter([playing(fleets.each[0], process, known, episode, limits, is_bound, EPISODE_SEED)]))
    finally:
        process.close()
    return row


def loading(entrant: Entrant, limits: Limits, has_core: bool = False) -> PolicyProcess:
    """A new process that loads its policy: :func:`playing` waits for that."""
    process = PolicyProcess(entrant, has_core)
    with suppress(PolicyFailure):  # who asks it for more sees that it has ended
        process.ask(limits.start_s, "load")
    return process


def playing(
    fleet: Fleet,
    process: PolicyProcess,
    known: Described,
    episode: Episode,
    limits: Limits,
    is_bound: bool,
    seed: int,
) -> Playing[Row]:
    """Play an episode in a fleet; arguments as of :func:`play_locked`, a process that loads, and the seed of ``reset``."""
    begun_s, course, failure = time.perf_counter(), Course(), None
    try:
        fleet.begin(seed, dict(episode))
        player = AgentTurns(fleet, process) if known.kind == "agent" else ControllerTurns(fleet, process)
        process.described()
        ask_to_begin(fleet, process, player, episode, limits, is_bound)
        yield Stop.ASKED
        process.answer()
        course.step, course.reset_s = 0, process.took_s
        while not fleet.is_over:
            player.ask(min(limits.decision_s, limits.episode_s - course.seen_s))
            yield Stop.ASKED
            course.said.append(player.decision())
            course.decisions_s.append(process.took_s)
            course.seen_s += process.seen_s
            if course.seen_s > limits.episode_s:
                raise PolicyFailure("TimeLimit", f"its decisions took more than {limits.episode_s:g} s together")
            yield Stop.DECIDED
            course.terms.append(fleet.terms)
            course.step += 1
    except PolicyFailure as error:
        failure = Failure(course.step, error.kind, error.message)
    score, said = episode_score(fleet), stacked(course.said) if course.said else {}
    digests = rolled(all_digested(said) if said else []), rolled(course.terms)
    times = course.times() | {"wall_s": time.perf_counter() - begun_s}
    terms, log = dict(score.terms), packed(said) if failure is None else None
    return Row(episode, max(course.step, 0), score.is_overfull, terms, measured(fleet), *digests, times, failure, log=log)


def ask_to_begin(
    fleet: Fleet,
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
    problem, played = fleet.setup.problem, fleet.episode
    seed = policy_seed(problem, episode)
    if isinstance(player, AgentTurns):
        process.ask(limits.reset_s, "begin_agent", seed, player.layout)
        return
    if is_bound:
        told = {"name": problem.name, "world": fleet.setup.world, "workload": played.workload}
        told["control_interval_s"], future = problem.control_interval_s, (played.workload, played.workload_seed)
    else:
        told, future = briefing(problem, played, seed), None
    process.ask(limits.reset_s, "begin_controller", told, seed, future, player.layout, player.reply)
