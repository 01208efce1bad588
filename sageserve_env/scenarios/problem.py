"""A problem: a world, traffic, an interval and a horizon, and three splits from which episodes are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.scenarios.options import read_options
from sageserve_env.scenarios.overrides import read_seconds, read_workload, read_world, with_lead_times
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.scenarios.scenario import MOST_DECISIONS, check_intervals
from sageserve_env.scenarios.sources import GivenSource, Source, Window
from sageserve_env.scenarios.splits import SPLITS, Choice, Episode, Split
from sageserve_env.sim.knobs import ADMISSION_ORDERS
from sageserve_env.workload.request import Workload
from sageserve_env.world.checks import require_choice
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import LeadTimes, World

NONE = -1
"""Variant of an episode whose perturbation was drawn."""


@dataclass(frozen=True)
class Problem:
    """A named, versioned problem.

    Attributes:
        name: What ``load_problem`` calls it.
        id: Its id in Gymnasium's registry.
        summary: One line.
        fleet: The world.
        source: Where its traffic comes from.
        splits: Train, validation and test.
        control_interval_s: Seconds between two decisions.
        horizon_s: Length of an episode in seconds.
        admission_order: Order of admission among waiting requests, until a policy says otherwise.
        breach_prices_usd: Price of one avoidable breach by tier, which rewards charge.
        niw_grace_s: NIW that came earlier than this before the horizon, and is unfinished there, counts as breached.
    """

    name: str
    id: str
    summary: str
    fleet: World
    source: Source
    splits: tuple[Split, ...]
    control_interval_s: float
    horizon_s: float
    admission_order: str = "FCFS"
    breach_prices_usd: tuple[float, float, float] = (0.05, 0.25, 0.25)
    niw_grace_s: float = 3600.0

    @property
    def version(self) -> int:
        """The number at the end of the id."""
        return int(self.id.rpartition("-v")[2])

    def world(self) -> World:
        """What exists."""
        return self.fleet

    def split(self, name: str) -> Split:
        """A split by its name.

        Raises:
            InputError: There is no such split.
        """
        for split in self.splits:
            if split.name == name:
                return split
        raise InputError(f"split = {name!r} does not exist; choose one of {', '.join(SPLITS)}")

    def sample(self, split: str, rng: np.random.Generator, options: Mapping[str, Any] | None = None) -> Episode:
        """Draw an episode. The same state of ``rng`` gives the same episode, and takes the same draws whatever the options.

        Args:
            split: ``"train"``, ``"validation"`` or ``"test"``.
            rng: Random numbers.
            options: ``day`` (name or index of one of the split's days), ``start_s`` (seconds into the day), ``scale`` (factor on
                the requests), ``initial_instances`` (an int, or a dict by model), ``variant`` (index of a held-out perturbation;
                validation and test only). What is not given is drawn, or the problem's own.

        Raises:
            InputError: No such split or option, or a value that cannot be used.
        """
        part, wanted = self.split(split), read_options(options, self.fleet)
        drawn = part.draw(rng, self.source.models)
        choice = drawn.with_options(wanted, part, f"split {split!r} of {self.name!r}")
        start_s = self._start(choice, wanted.start_s)
        scale = 1.0 if wanted.scale is None else wanted.scale
        perturbation = replace(choice.perturbation, level=choice.perturbation.level * scale)
        facts: dict[str, float | str] = {"split": split, "day": choice.window.name, "start_s": start_s, "scale": scale}
        facts |= {} if choice.variant is None else {"variant": float(choice.variant)}
        return Episode(
            workload=self._play(choice.window, perturbation, start_s),
            workload_seed=choice.seed,
            week_start_s=choice.window.week_start_s + start_s,
            horizon_s=self.horizon_s,
            description=facts | choice.perturbation.describe(),
            drawn={
                "day": part.windows.index(choice.window),
                "start_s": float(start_s),
                "scale": float(scale),
                "variant": NONE if choice.variant is None else choice.variant,
                "workload_seed": choice.seed,
            },
            initial_instances=wanted.initial_instances,
        )

    def _start(self, choice: Choice, wanted_s: float | None) -> float:
        """Seconds from the window's start to the episode's: as wanted, or a whole number of intervals that fits, at random."""
        window = choice.window
        room_s = max(0.0, window.span_s - self.horizon_s)
        if wanted_s is None:
            return math.floor(choice.start_share * (1 + math.floor(room_s / self.control_interval_s))) * self.control_interval_s
        if wanted_s >= window.span_s:
            raise InputError(f"options: start_s = {wanted_s:g} is beyond {window.name!r}; give less than {window.span_s:g} s")
        if not self.source.is_cyclic and wanted_s > room_s:
            what = f"options: start_s = {wanted_s:g} leaves less than {self.horizon_s:g} s of {window.name!r}"
            raise InputError(f"{what}; give at most {room_s:g}")
        return wanted_s

    def _play(self, window: Window, perturbation: Perturbation, start_s: float) -> Workload:
        """The traffic of an episode."""
        turns = math.ceil(self.horizon_s / window.span_s) if self.source.is_cyclic else 1
        workload = self.source.play(window, perturbation, turns)
        if self.source.is_cyclic and start_s > 0:
            workload, start_s = workload.shift(-start_s), 0.0
        return workload if start_s == 0 and self.horizon_s == workload.duration_s else workload.slice(start_s, self.horizon_s)

    def with_overrides(
        self,
        world: World | str | Path | None = None,
        workload: Workload | str | Path | None = None,
        control_interval_s: float | None = None,
        horizon_s: float | None = None,
        lead_times: LeadTimes | Mapping[str, float] | None = None,
        admission_order: str | None = None,
    ) -> Problem:
        """This problem with other parts; None keeps a part.

        Args:
            world: A world, the name of a preset, or the path of a YAML file.
            workload: A workload, a name in the catalog, or the path of a trace file. All splits play it as it is, with seeds of
                their own; unless ``horizon_s`` is given, the horizon is the problem's or the workload's length if that is less.
            control_interval_s: Seconds between two decisions.
            horizon_s: Length of an episode in seconds.
            lead_times: All lead times, or a dict of those that change.
            admission_order: FCFS, EDF, PF or DPA.

        Raises:
            InputError: A part cannot be used, or the parts do not fit together.
        """
        changed = self
        if world is not None:
            changed = replace(changed, fleet=read_world(world))
        if lead_times is not None:
            changed = replace(changed, fleet=with_lead_times(changed.fleet, lead_times))
        if workload is not None:
            changed = _with_workload(changed, read_workload(workload))
        if control_interval_s is not None:
            changed = replace(changed, control_interval_s=read_seconds("control_interval_s", control_interval_s))
        if horizon_s is not None:
            changed = replace(changed, horizon_s=read_seconds("horizon_s", horizon_s))
        if admission_order is not None:
            changed = replace(changed, admission_order=admission_order)
        return self if changed is self else changed.validated()

    def validated(self) -> Problem:
        """This problem, its parts checked against each other.

        Raises:
            InputError: A part cannot be used, or the parts do not fit together.
        """
        validate(self.fleet)
        require_choice("admission_order", self.admission_order, ADMISSION_ORDERS)
        interval_s, horizon_s = self.control_interval_s, self.horizon_s
        check_intervals("control_interval_s", interval_s, horizon_s, MOST_DECISIONS)
        if interval_s > horizon_s:
            raise InputError(f"control_interval_s = {interval_s:g} is longer than horizon_s = {horizon_s:g}; shorten it")
        shortest = min((window for split in self.splits for window in split.windows), key=lambda window: window.span_s)
        if not self.source.is_cyclic and horizon_s > shortest.span_s:
            raise InputError(f"horizon_s = {horizon_s:g} is longer than '{shortest.name}'; give at most {shortest.span_s:g} s")
        self.source.play(shortest, Perturbation()).stream(self.fleet, 0)  # checks names, and a trace's every row
        return self


def _with_workload(problem: Problem, workload: Workload) -> Problem:
    """A problem whose splits all play one workload."""
    source = GivenSource(workload)
    splits = tuple(Split(name, (source.window(),), variants=(Perturbation(),)) for name in SPLITS)
    return replace(problem, source=source, splits=splits, horizon_s=min(problem.horizon_s, workload.duration_s))
