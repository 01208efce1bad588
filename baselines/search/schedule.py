"""A schedule: the instances wanted in every control interval, and constant knobs of each model; what the search changes."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.sim import Knobs
from sageserve_env.world.schema import World
from sageserve_env.world.vms import region_capacity

PARTS = 64
"""Routing thresholds and NIW release levels are whole parts of 1: their shares are exact in binary."""

Targets = NDArray[np.int16]


@dataclass(frozen=True)
class Room:
    """What schedules of a world may ask for. F = N * K fleets, an endpoint and a VM type each.

    Attributes:
        least: Instances, shape (F,): an endpoint keeps its least on the first type that its model runs on, as in the environment.
        most: VMs of the type in the region, 0 where the model does not run on it, shape (F,).
        place: Which VMs a fleet shares with others: region * K + type, shape (F,).
        vms: Of each place, shape (R * K,).
        model: Of each fleet, shape (F,).
        region: Of each fleet, shape (F,).
    """

    least: NDArray[np.int64]
    most: NDArray[np.int64]
    place: NDArray[np.int64]
    vms: NDArray[np.int64]
    model: NDArray[np.int64]
    region: NDArray[np.int64]

    @classmethod
    def of(cls, world: World) -> Room:
        """The room of a world."""
        n_types, pools = len(world.vm_types), len(world.pools)
        most = region_capacity(world).astype(np.int64)
        runs = np.array([[kind.name in model.profiles for kind in world.vm_types] for model in world.models])
        endpoint = np.arange(len(most))
        region, model = endpoint // (len(world.models) * pools), endpoint // pools % len(world.models)
        least = np.zeros_like(most)
        first = runs.argmax(axis=1)[model]
        least[endpoint, first] = np.minimum(world.scaling.min_instances, most[endpoint, first])
        place = region[:, None] * n_types + np.arange(n_types)
        vms = np.array([[each.vm_capacity.get(kind.name, 0) for kind in world.vm_types] for each in world.regions], np.int64)
        by_type = [np.repeat(values, n_types) for values in (model, region)]
        return cls(least.ravel(), most.ravel(), place.ravel(), vms.ravel(), *by_type)

    def fit(self, targets: NDArray[Any]) -> Targets:
        """Targets brought within the bounds and the VMs, shape (S, F): where VMs are short, the last fleets give up first."""
        fitted = np.clip(targets, self.least, self.most)
        for place in range(len(self.vms)):
            mine = np.flatnonzero(self.place == place)
            over = fitted[:, mine].sum(axis=1) - self.vms[place]
            for fleet in mine[::-1]:
                given = np.clip(over, 0, fitted[:, fleet] - self.least[fleet])
                fitted[:, fleet] -= given
                over -= given
        return fitted.astype(np.int16)

    def holds(self, targets: NDArray[Any]) -> bool:
        """Whether targets keep the bounds and need no more VMs than there are, shape (S, F)."""
        if (targets < self.least).any() or (targets > self.most).any():
            return False
        used = [targets[:, self.place == place].sum(axis=1) for place in range(len(self.vms))]
        return bool((np.max(used, axis=1) <= self.vms).all())


@dataclass(frozen=True)
class Schedule:
    """Targets and knobs. Arrays are never written to.

    Attributes:
        targets: Instances of each fleet in each control interval, shape (S, F), int16.
        routing: Routing threshold of each model, in parts of ``PARTS``, shape (M,).
        release: NIW release levels of each model, high then low, in parts of ``PARTS``, shape (M, 2).
    """

    targets: Targets
    routing: NDArray[np.int64]
    release: NDArray[np.int64]

    @classmethod
    def holding(cls, targets: Targets, world: World) -> Schedule:
        """A schedule with the world's knobs, to the nearest part."""
        knobs = Knobs.static(world)
        routing = np.rint(PARTS * np.clip(knobs.routing_threshold, 0, 1)).astype(np.int64)
        return cls(targets, routing, np.rint(PARTS * knobs.niw_release).astype(np.int64))

    def actions(self, first: int, end: int, room: Room, n_endpoints: int) -> NDArray[np.float64]:
        """Actions of mode ``knobs`` from an interval on and before another, shape (end - first, A)."""
        span = np.maximum(room.most - room.least, 1)
        bounds = 2.0 * (self.targets[first:end] - room.least) / span - 1.0
        knobs = np.concatenate([self.routing, self.release[:, 0], self.release[:, 1]]) / PARTS
        rest = np.concatenate([np.ones(n_endpoints), np.full(n_endpoints, -1.0), 2.0 * knobs - 1.0])
        return np.concatenate([bounds, bounds, np.tile(rest, (len(bounds), 1))], axis=1)

    def knobs(self, step: int, held: Knobs) -> Knobs:
        """The knobs of an interval; past the last one, its own. ``held`` has the shapes, and what a schedule leaves alone."""
        targets = self.targets[min(step, len(self.targets) - 1)].reshape(held.floor.shape).astype(np.int32)
        return Knobs(
            floor=targets,
            cap=targets,
            scale_out_utilization=np.ones_like(held.scale_out_utilization),
            scale_in_utilization=np.zeros_like(held.scale_in_utilization),
            cool_down_s=held.cool_down_s,
            emergency_utilization=held.emergency_utilization,
            routing_threshold=self.routing / PARTS,
            region_weight=held.region_weight,
            niw_release=self.release / PARTS,
            admission_order=held.admission_order,
        )

    def packed(self) -> dict[str, Any]:
        """As JSON takes it; the targets as changes from interval to interval, squeezed."""
        changes = np.diff(self.targets, axis=0, prepend=np.zeros((1, self.targets.shape[1]), np.int16))
        squeezed = zlib.compress(np.ascontiguousarray(changes.T, "<i2").tobytes(), 9)
        return {
            "shape": list(self.targets.shape),
            "targets": base64.b64encode(squeezed).decode(),
            "routing": self.routing.tolist(),
            "release": self.release.tolist(),
        }

    @classmethod
    def unpacked(cls, facts: dict[str, Any]) -> Schedule:
        """From what :meth:`packed` gave.

        Raises:
            InputError: It is something else.
        """
        try:
            steps, fleets = facts["shape"]
            changes = np.frombuffer(zlib.decompress(base64.b64decode(facts["targets"], validate=True)), "<i2")
            targets = np.cumsum(changes.reshape(fleets, steps).T, axis=0).astype(np.int16)
            schedule = cls(targets, np.array(facts["routing"], np.int64), np.array(facts["release"], np.int64))
        except (KeyError, ValueError, TypeError, zlib.error) as error:
            raise InputError(f"schedule cannot be read ({error!r:.60}); give a file that sageserve search wrote") from None
        models = schedule.routing.size
        if schedule.release.shape != (models, 2) or min(schedule.routing.min(initial=0), schedule.release.min(initial=0)) < 0:
            raise InputError("schedule has knobs of the wrong shape or below 0; give a file that sageserve search wrote")
        return schedule
