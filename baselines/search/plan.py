"""Plans found in hindsight: their file, and the policy that replays them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from baselines.search.schedule import Schedule
from sageserve_env.errors import InputError, shown
from sageserve_env.files.writing import write_rows
from sageserve_env.identity import digest
from sageserve_env.scenarios import Scenario
from sageserve_env.sim import Knobs
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.workload import Workload
from sageserve_env.workload.play import play
from sageserve_env.world.schema import World

FORMAT = 1

HEAD = ("format", "env", "problem", "split", "horizon_s", "episode_seed", "seed")
"""What a file's plans have in common: a search goes on from a file only where all of it is the same."""


@dataclass(frozen=True)
class Plan:
    """The best schedule found for one episode, and where its search stands.

    Attributes:
        episode: Options of the episode: its day and variant.
        identity: Of what arrives, and of the world that serves it.
        schedule: As :meth:`Schedule.packed` packs it.
        usd: Dollars of the episode.
        shortfall: How far the worst tier is below its level; 0: feasible.
        attainment: Share of each tier's attainable requests in time.
        start: Where the search began.
        start_usd: What that cost, and ``start_shortfall`` how far it missed.
        evaluations: Schedules played so far, whole or in part.
        random_state: Of the changes to come.
    """

    episode: dict[str, Any]
    identity: str
    schedule: dict[str, Any] = field(repr=False)
    usd: float
    shortfall: float
    attainment: dict[str, float]
    start: str
    start_usd: float
    start_shortfall: float
    evaluations: int
    random_state: dict[str, Any] = field(repr=False)


def episode_identity(workload: Workload, world: World, seed: int) -> str:
    """What tells an episode from all others: who arrives first, by the millisecond, and the world.

    The rates behind the arrivals would tell it, too, but on another processor they differ in their last digits.
    """
    first = play(workload, world, seed).next_chunk()
    whole = [first[name] for name in first.dtype.names or () if name != "arrival_s"]
    return digest(np.rint(1e3 * first["arrival_s"]).astype(np.int64), *whole, seed, world)


def write_plans(path: Path, head: dict[str, Any], command: str, plans: Sequence[Plan]) -> None:
    """Write plans, whole, a line for each.

    Raises:
        InputError: They cannot be written.
    """
    write_rows(path, {**head, "command": command}, "plans", map(asdict, plans))


def read_plans(path: str | Path) -> tuple[dict[str, Any], list[Plan]]:
    """What the plans of a file have in common, by the names of ``HEAD``, and the plans.

    Raises:
        InputError: It is no such file.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        head, plans = {name: facts[name] for name in HEAD}, [Plan(**row) for row in facts["plans"]]
    except OSError as error:
        raise InputError(f"'{path}' cannot be read ({error.strerror}); give a file that sageserve search wrote") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' holds no plans ({error!r:.80}); give a file that sageserve search wrote") from None
    if head["format"] != FORMAT:
        raise InputError(f"'{path}' has format {head['format']}; this version reads {FORMAT}: search anew")
    return head, plans


def plans_by_episode(path: Path, head: dict[str, Any]) -> dict[str, Plan]:
    """The plans of a file to go on from, by their episodes; none where there is no file.

    Raises:
        InputError: It is no such file, or one of another search.
    """
    if not path.exists():
        return {}
    kept, plans = read_plans(path)
    for name in HEAD:
        if kept[name] != head[name]:
            was, now = shown(kept[name]), shown(head[name])
            raise InputError(f"'{path}' was searched with {name} = {was}, not {now}; choose another file or the same arguments")
    return {str(plan.episode): plan for plan in plans}


@dataclass
class PlanPolicy:
    """Replays a schedule that was found for one very episode, in hindsight: a bound, no controller.

    Attributes:
        file: What ``sageserve search`` wrote; the plan of the episode is taken from it.
    """

    name: ClassVar[str] = "plan"

    file: str | Path
    _foreseen: tuple[Workload, int] | None = field(init=False, repr=False, compare=False, default=None)

    def foresee(self, workload: Workload, seed: int) -> None:
        """Learn which episode it is, before :meth:`reset`."""
        self._foreseen = workload, seed

    def reset(self, scenario: Scenario, rng: np.random.Generator) -> None:
        """Look up the episode's plan.

        Raises:
            InputError: The file has none for it, the plan does not fit, or nobody told which episode it is.
        """
        if not isinstance(self.file, str | Path):
            raise InputError(f"file = {shown(self.file)} is no path; give a file that sageserve search wrote")
        if self._foreseen is None:
            raise InputError("plan knows no episode; play it with play_policy or run_episode, which call foresee(workload, seed)")
        _, plans = read_plans(self.file)
        wanted = episode_identity(self._foreseen[0], scenario.world, self._foreseen[1])
        plan = next((plan for plan in plans if plan.identity == wanted), None)
        if plan is None:
            known = ", ".join(" ".join(f"{name}={value}" for name, value in plan.episode.items()) for plan in plans)
            raise InputError(f"file = '{self.file}' has no plan for this episode; it has {known or 'none'}")
        self._held = Knobs.static(scenario.world)
        self._schedule = Schedule.unpacked(plan.schedule)
        self._interval_s = scenario.control_interval_s
        if self._schedule.targets.shape[1] != self._held.floor.size or self._schedule.routing.size != len(scenario.world.models):
            raise InputError(f"file = '{self.file}': its plan is for another fleet; search anew")

    def decide(self, telemetry: Telemetry) -> Knobs:
        """The knobs of the interval that begins."""
        return self._schedule.knobs(round(telemetry.now_s / self._interval_s), self._held)
