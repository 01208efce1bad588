"""The search: changes of the schedule that is kept are tried where they matter, the good ones together, and played to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from baselines.search.moves import Moves
from baselines.search.plan import FORMAT, Plan, episode_identity
from baselines.search.player import Candidate, Course, Player, Sums, score_of
from baselines.search.schedule import Room, Schedule
from baselines.search.starts import of_agent, starts
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.play.anchors import plans_digest
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, EpisodeScore
from sageserve_env.evaluation.saved import saved_folder
from sageserve_env.scenarios import Problem
from sageserve_env.scenarios.options import check_variant, choose_window
from sageserve_env.world.checks import require_count, require_within

WIDTH = 32
"""Changes drawn, and played side by side, at a time."""

TAIL_S = 5400.0
"""How long after a change its effect is looked for before it is played to the end."""

MENDING = 10.0
"""A start that misses a level by one in a hundred counts as a tenth dearer."""

MOST_EVALUATIONS = 10**9


@dataclass(frozen=True)
class Search:
    """Whose episodes are searched, and how.

    Attributes:
        problem: The problem.
        split: Whose episodes.
        seed: Of the changes that are tried.
        hours: First hours of each episode; None: all.
        agent: A saved agent whose fleets are a start, too, as ``sageserve evaluate --policy`` takes it; None: none.

    Raises:
        InputError: There is no such split, or a number is out of its range.
    """

    problem: Problem
    split: str = "test"
    seed: int = 0
    hours: float | None = None
    agent: str | None = None

    def __post_init__(self) -> None:
        """Check."""
        require_count("seed", self.seed, 0, 2**63 - 1)
        if self.hours is not None:
            require_within("hours", self.hours, 1e-3, 24.0 * 366, "hours")
        if not self.problem.split(self.split).held_out():
            raise InputError(f"split = '{self.split}' of '{self.problem.name}' lists no episodes; choose validation or test")
        self.loaded_agent()

    def loaded_agent(self) -> Any:
        """The agent, or None.

        Raises:
            InputError: There is no such agent, or it was made for another problem.
        """
        if self.agent is None:
            return None
        saved = saved_folder(self.agent)
        if saved is None:
            raise InputError(f"agent = '{self.agent}' is no saved agent; give its folder, or agents/NAME of a shipped one")
        saved.require_env(self.problem.id)
        return saved.load()

    @property
    def horizon_s(self) -> float | None:
        """Seconds of each episode; None: the problem's."""
        return None if self.hours is None else 3600.0 * self.hours

    def episodes(self, day: str | None = None, variant: int | None = None) -> list[dict[str, Any]]:
        """Options of the episodes of a day and a variant; None: of all.

        Raises:
            InputError: The split has no such day or variant.
        """
        part, where = self.problem.split(self.split), f"split '{self.split}' of '{self.problem.name}'"
        chosen = part.held_out()
        if day is not None:
            name = choose_window(int(day) if day.isdecimal() else day, part.windows, where).name
            chosen = [episode for episode in chosen if episode["day"] == name]
        if variant is not None:
            check_variant(variant, len(part.variants), where)
            chosen = [episode for episode in chosen if episode["variant"] == variant]
        return chosen

    def command(self, evaluations: int) -> str:
        """The command that finds the same plans."""
        hours = "" if self.hours is None else f" --hours {self.hours:g}"
        agent = "" if self.agent is None else f" --agent {self.agent}"
        what = f"--env {self.problem.id} --split {self.split}{hours}{agent}"
        return f"sageserve search {what} --evaluations {evaluations} --seed {self.seed}"

    def env(self) -> FleetEnv:
        """An environment that plays the episodes."""
        return FleetEnv(problem=self.problem, split=self.split, horizon_s=self.horizon_s)

    def head(self) -> dict[str, Any]:
        """What the plans have in common, by the names of ``plan.HEAD``."""
        env = self.env()
        return {
            "format": FORMAT,
            "env": self.problem.id,
            "problem": plans_digest(env.setup),
            "split": self.split,
            "horizon_s": env.setup.problem.horizon_s,
            "episode_seed": EPISODE_SEED,
            "seed": self.seed,
        }


def find(
    search: Search,
    episode: dict[str, Any],
    evaluations: int,
    *,
    plan: Plan | None = None,
    until_s: float = np.inf,
    report: Callable[[Plan], None] = lambda _: None,
) -> Plan:
    """Search for a cheap feasible schedule of one episode.

    Batches are whole, so that the number of evaluations may be passed by one batch; the same number gives the same plan, on any
    number of cores and however often the search was stopped and gone on with.

    Args:
        search: How.
        episode: Day and variant.
        evaluations: Schedules to play, whole or in part.
        plan: Where an earlier search of the episode stood.
        until_s: Time of ``time.monotonic`` at which to stop early.
        report: Called after each batch.

    Raises:
        InputError: There is no such episode, or a number is out of its range.
    """
    require_count("evaluations", evaluations, 1, MOST_EVALUATIONS)
    player = Player(search.problem, search.split, episode, EPISODE_SEED, WIDTH, search.horizon_s)
    try:
        rng = np.random.default_rng(search.seed)
        interval_s = player.setup.settings.control_interval_s
        moves = Moves(player.room, interval_s, player.n_steps, round(TAIL_S / interval_s), rng)
        if plan is None:
            kept, plan = begin(search, episode, player, rng)
        else:
            rng.bit_generator.state = plan.random_state
            kept, plan = resume(search, episode, player, plan, rng)
        report(plan)
        while plan.evaluations < evaluations and time.monotonic() < until_s:
            candidates = moves.draw(kept.schedule, WIDTH)
            if not candidates:
                break
            kept, played = improve(player, kept, candidates)
            plan = standing(plan, kept, plan.evaluations + played, rng)
            report(plan)
    finally:
        player.close()
    return plan


def begin(search: Search, episode: dict[str, Any], player: Player, rng: np.random.Generator) -> tuple[Course, Plan]:
    """The best of the schedules that reference policies give.

    Raises:
        InputError: None can play the problem.
    """
    env = search.env()
    schedules = starts(env, player.room, episode, EPISODE_SEED) | agent_starts(search, env, episode, player)
    env.close()
    if not schedules:
        raise InputError(f"no reference policy can play '{search.problem.name}'; search one whose world has one pool")
    played = player.play(list(schedules.values()), keeps=False)
    name = min(zip(schedules, played, strict=True), key=lambda start: promise(start[1].score))[0]
    kept = player.play([schedules[name]])[0]
    worth = kept.score
    plan = Plan(
        episode=episode,
        identity=identity_of(player),
        schedule={},
        usd=0.0,
        shortfall=0.0,
        attainment={},
        start=name,
        start_usd=worth.usd,
        start_shortfall=worth.shortfall,
        evaluations=0,
        random_state={},
    )
    return kept, standing(plan, kept, len(schedules), rng)


def resume(search: Search, episode: dict[str, Any], player: Player, plan: Plan, rng: np.random.Generator) -> tuple[Course, Plan]:
    """Where an earlier search stood, or what the agent does where that is better; in the traffic of now, if that has changed."""
    kept = player.play([Schedule.unpacked(plan.schedule)])[0]
    plan = standing(replace(plan, identity=identity_of(player)), kept, plan.evaluations, rng)
    env = search.env()
    for name, schedule in agent_starts(search, env, episode, player).items():
        course = player.play([schedule])[0]
        plan = replace(plan, evaluations=plan.evaluations + 1)
        if course.score.rank < kept.score.rank:
            begun = replace(plan, start=name, start_usd=course.score.usd, start_shortfall=course.score.shortfall)
            kept, plan = course, standing(begun, course, plan.evaluations, rng)
    env.close()
    return kept, plan


def identity_of(player: Player) -> str:
    """What tells the traffic of the episode from any other."""
    return episode_identity(player.episode.workload, player.world, player.episode.workload_seed)


def agent_starts(search: Search, env: FleetEnv, episode: dict[str, Any], player: Player) -> dict[str, Schedule]:
    """The agent's schedule by its name, where there is an agent and its episode did not break off."""
    agent = search.loaded_agent()
    schedule = None if agent is None else of_agent(env, player.room, agent, episode, EPISODE_SEED)
    return {} if schedule is None else {str(search.agent): schedule}


def promise(score: EpisodeScore) -> float:
    """What a start is worth, less is better: one that hardly misses a level holds it after a few changes."""
    return score.usd * (1.0 + MENDING * score.shortfall)


def standing(plan: Plan, kept: Course, evaluations: int, rng: np.random.Generator) -> Plan:
    """A plan brought up to date."""
    worth = kept.score
    return replace(
        plan,
        schedule=kept.schedule.packed(),
        usd=worth.usd,
        shortfall=worth.shortfall,
        attainment=worth.attainment,
        evaluations=evaluations,
        random_state=dict(rng.bit_generator.state),
    )


def improve(player: Player, kept: Course, candidates: Sequence[Candidate]) -> tuple[Course, int]:
    """A better schedule that changes of the kept one lead to, or itself; and how many were played."""
    added = player.try_out(candidates, kept)
    chosen = compatible(kept, candidates, added, player.room)
    played = len(candidates)
    counts = {1, (len(chosen) + 1) // 2, len(chosen)} if chosen else set()
    for count in sorted(counts, reverse=True):  # fewer, where too many spoil it
        together = [candidates[k] for k in chosen[:count]]
        course = player.play([joined(kept.schedule, together)], kept, min(each.first for each in together))[0]
        played += 1
        if course.score.rank < kept.score.rank:
            return course, played
    return kept, played


def compatible(kept: Course, candidates: Sequence[Candidate], added: Sums, room: Room) -> list[int]:
    """Which changes to make together, the best first: each seems to help, and none is where the effect of another is looked for.

    Models meet in the VMs that they share alone, so that changes of different models may overlap in time.
    """
    total = kept.sums[-1]
    ranks = {k: score_of(total + row).rank for k, row in enumerate(added) if np.isfinite(row).all()}
    chosen: list[int] = []
    for k in sorted(ranks, key=lambda k: (ranks[k], k)):
        together = total + added[k]
        if score_of(together).rank >= score_of(total).rank:
            continue
        if any(meet(kept.schedule, candidates[k], candidates[other], room) for other in chosen):
            continue
        if room.holds(joined(kept.schedule, [candidates[other] for other in (*chosen, k)]).targets):
            chosen.append(k)
            total = together
    return chosen


def meet(kept: Schedule, one: Candidate, other: Candidate, room: Room) -> bool:
    """Whether two changes may have to do with each other."""
    if one.first >= other.until or other.first >= one.until:
        return False
    touched = [set(room.model[(each.schedule.targets != kept.targets).any(axis=0)].tolist()) for each in (one, other)]
    return not all(touched) or bool(touched[0] & touched[1])  # one that moves no target turns a knob


def joined(kept: Schedule, changes: Sequence[Candidate]) -> Schedule:
    """A schedule with several changes made."""
    targets, routing, release = kept.targets.copy(), kept.routing.copy(), kept.release.copy()
    for each in changes:
        targets += each.schedule.targets - kept.targets
        routing += each.schedule.routing - kept.routing
        release += each.schedule.release - kept.release
    return Schedule(targets, routing, release)
