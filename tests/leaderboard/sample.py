"""A small leaderboard to tamper with: two days of Mini under two perturbations, three steps each, and a few entries."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env import __version__
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.locked.actions import ACTION, ORDER, Said, knobs_of, order_code, packed, stacked
from sageserve_env.evaluation.locked.protocol import PROTOCOL, Rolling
from sageserve_env.evaluation.locked.result.logs import Logged, read_lines, write_logs
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.leaderboard import nulls
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.canaries import Canary
from sageserve_env.leaderboard.submission.folder import EPISODES, RECORD
from sageserve_env.leaderboard.submission.pack import as_yaml
from sageserve_env.leaderboard.submission.record import command
from sageserve_env.leaderboard.tables.tree import write_pins, write_tables
from sageserve_env.leaderboard.verify import verify
from sageserve_env.scenarios import Problem, Scenario, Split, load_problem
from sageserve_env.sim import Knobs

ID = "SageServe/Mini-v0"

CANARIES = (
    Canary("serve-nothing", "sageserve_env.leaderboard.nulls:Nothing"),
    Canary("least-fleet", "sageserve_env.leaderboard.nulls:Least"),
)

MINE, OTHER = "mine", "other"
"""The entry that is tampered with, an agent's; and one that stays."""

ABOUT = {
    "who": "Ada and Bo",
    "team": "sample",
    "license": "MIT",
    "kind": "agent",
    "about": "For tests.",
    "training_budget": "none",
    "tuned_on": "nothing",
    "seeds": [],
    "hidden": False,
}

Decide = Callable[[FleetEnv, int], dict[str, Any]]


def short(horizon_s: float = 900.0) -> Problem:
    """Mini, shorter and with fewer test episodes."""
    mini = load_problem("mini").with_overrides(horizon_s=horizon_s)
    test = mini.split("test")
    windows = tuple(replace(window, name=name) for window, name in zip(test.windows, ("one", "two"), strict=False))
    return replace(mini, splits=(*mini.splits[:2], Split("test", windows, variants=test.variants[:2])))


def grows(size: int) -> Decide:
    """An agent that changes the fleet at first, by so much, and then holds it."""
    return lambda env, step: {"action": np.full(3, 2 + (size if step == 0 else 0))}


def fixed(policy: nulls.Fixed) -> Decide:
    """A controller that goes to a fleet."""

    def decide(env: FleetEnv, step: int) -> dict[str, Any]:
        policy.reset(Scenario("mini", env.setup.world, env.episode.workload), np.random.default_rng(0))
        knobs = policy.decide(env.telemetry())
        said = {each.name: np.asarray(getattr(knobs, each.name)) for each in fields(Knobs) if each.name != "admission_order"}
        return {**said, "admission_order": order_code(knobs.admission_order)}

    return decide


DECIDES = {MINE: grows(1), OTHER: grows(2), "serve-nothing": fixed(nulls.Nothing()), "least-fleet": fixed(nulls.Least())}


def digested(said: Said) -> Any:
    """What of one decision goes into the rolling digest: all of it, as one array."""
    if ACTION in said:
        return said[ACTION]
    return np.concatenate([*(said[name].ravel() for name in sorted(said) if name != ORDER), [said[ORDER]]])


def played(board: Board, decide: Decide) -> Iterator[Logged]:
    """What a policy does in every held-out episode; without processes, which tests of the locked evaluation have."""
    ground = board.ground(ID)
    env = FleetEnv(problem=ground.problem, split="test")
    for episode in ground.held_out:
        env.reset(seed=EPISODE_SEED, options=episode)
        steps, actions, outcomes, is_over = [], Rolling(), Rolling(), False
        while not is_over:
            said = decide(env, len(steps))
            steps.append(said)
            actions.add(digested(said))
            *_, is_over, info = env.step(said["action"]) if "action" in said else env.follow(knobs_of(said))
            outcomes.add([info[name] for name in TERMS])
        head = ID, episode["day"], episode["variant"], EPISODE_SEED, PROTOCOL, __version__, *ground.digests
        yield Logged(*head, len(steps), actions.hexdigest(), outcomes.hexdigest(), packed(stacked(steps)))


def enter(board: Board, name: str, decide: Decide, **about: Any) -> None:
    """Write a submission."""
    folder = board.submissions / name
    folder.mkdir(parents=True)
    entries = {ID: {"command": command(f"mine.py:{name.title()}", ID, False)}}
    (folder / RECORD).write_text(as_yaml({"name": name, **ABOUT, "entries": entries, **about}))
    write_logs(folder / EPISODES, played(board, decide))


@dataclass(frozen=True)
class Sample:
    """A board in a folder of its own."""

    root: Path

    def board(self, problem: Problem | None = None) -> Board:
        """The board, read anew; of another problem."""
        problems = {ID: problem or short()}
        return Board(self.root, self.root / "canaries.json", problems, lambda problem: list(CANARIES))

    def folder(self, name: str = MINE) -> Path:
        return self.root / "submissions" / name

    def lines(self, name: str = MINE) -> list[Logged]:
        return [Logged.read(line) for line in read_lines(self.folder(name) / EPISODES)]

    def write(self, lines: list[Logged], name: str = MINE) -> None:
        write_logs(self.folder(name) / EPISODES, lines)

    def change(self, number: int, name: str = MINE, **facts: Any) -> None:
        """Change fields of a line."""
        lines = self.lines(name)
        lines[number] = replace(lines[number], **facts)
        self.write(lines, name)

    def say(self, old: str, new: str, name: str = MINE) -> None:
        """Change the text of submission.yaml."""
        path = self.folder(name) / RECORD
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def copy(self, root: Path) -> Sample:
        """The same elsewhere."""
        shutil.copytree(self.root, root)
        return Sample(root)


def make(root: Path) -> Sample:
    """A whole board, verified and pinned."""
    sample = Sample(root)
    board = sample.board()
    for name, decide in DECIDES.items():
        enter(board, name, decide)
    found = verify(board)
    write_tables(board, found.tables)
    write_pins(board, found.tables)
    return sample
