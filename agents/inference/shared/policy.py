"""The shared policy: demand at the lead time, times what the weights make of it, becomes whole instances and knobs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.inference.parts import require_arrays, require_settings
from agents.inference.shared.apportion import settle
from agents.inference.shared.demand import LEAST, Demand, logistic
from agents.inference.shared.facts import Facts
from agents.inference.shared.sight import Sight, see
from agents.inference.shared.weights import COMMON, HORIZONS, SOON, STREAM, Weights
from sageserve_env.env.observation.encode import DAY_S, HOUR_S
from sageserve_env.errors import InputError

Reals = NDArray[np.float64]

LEAST_TOTAL = 0.5
"""Instances of a stream that serves anything, before they are rounded."""

FORGETS, LEAST_BOOST, MOST_BOOST = 0.97, -0.3, 0.6
"""Of the correction by misses: what is left of it after an interval, and its bounds, as a logarithm."""

LATE_H, LAST_H = 19.0, 23.0
"""Hours of the problem's clock from which on NIW is released for the end of the day, and by which all is."""


class SharedPolicy:
    """Sets targets and knobs of every endpoint by one set of weights.

    It knows the problem's calendar of peaks and what an instance sustains, estimates the level of demand from what arrives, and
    plans for the largest of the demands within its reach, each by a weight. Instances are counted for a model over all regions and
    then go where they are wanted most, one by one. Regions and models may come in any order, and fleets of another size take the
    same weights.

    Args:
        facts: What the problem tells.
        flat: Weights, shape (P + S Q,); or (E, P + S Q), one set for each environment of a vector.

    Raises:
        InputError: The weights have another shape or are not finite.
    """

    KIND: ClassVar[str] = "shared"
    VIEW: ClassVar[dict[str, Any]] = {"action_mode": "knobs"}

    def __init__(self, facts: Facts, flat: Reals) -> None:
        flat = np.asarray(flat, np.float64)
        size = len(COMMON) + len(STREAM) * len(facts.streams[0])
        if flat.ndim not in (1, 2) or flat.shape[-1] != size or not np.isfinite(flat).all():
            raise InputError(f"weights of shape {flat.shape} are not those of '{facts.name}'; give ({size},), finite")
        self.facts, self.flat = facts, flat
        self._by_env = Weights(np.atleast_2d(flat), len(facts.streams[0]))
        self.reset(0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is learned and measured, by name."""
        return {"weights": self.flat, "capacity": self.facts.capacity}

    def settings(self) -> dict[str, Any]:
        """The problem, and the names of the weights."""
        return {"problem": self.facts.name, "common": [w.name for w in COMMON], "stream": [w.name for w in STREAM]}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SharedPolicy:
        """The policy of its parts.

        Raises:
            InputError: A part is missing, or is not of such a policy.
        """
        names = {"common": [w.name for w in COMMON], "stream": [w.name for w in STREAM]}
        require_settings(settings, {"problem", *names})
        for name, known in names.items():
            if settings[name] != known:
                raise InputError(f"setting '{name}' does not name the weights of this package; train the agent anew")
        capacity = arrays.get("capacity", np.zeros((0, 0)))
        if capacity.ndim != 2 or not isinstance(settings["problem"], str):
            raise InputError("a shared policy has the name of a problem and a capacity of models on VM types; train the agent anew")
        size = len(COMMON) + len(STREAM) * int((capacity > 0).sum())
        require_arrays(arrays, {"weights": (size,), "capacity": capacity.shape})
        return cls(Facts(settings["problem"], np.asarray(capacity, np.float64)), arrays["weights"])

    def reset(self, seed: int) -> None:
        """Begin an episode; there is nothing random."""
        self._demand: Demand | None = None

    def act(self, observation: NDArray[np.float32], mask: object = None) -> NDArray[np.float32]:
        """The action, shape (A,), for an observation, shape (O,)."""
        return self.act_all(observation[None])[0]

    def act_all(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Actions, shape (E, A), for the observations of all environments, shape (E, O), which all began together."""
        seen = see(self.facts, observations.astype(np.float64))
        if self._demand is None:
            self._demand = Demand(self.facts, self._by_env, len(observations))
            self._boost = np.zeros_like(seen.missed)
        else:
            self._demand.update(seen.bins, seen.interactive, seen.batch)
            missed = self._by_env["correction"] * (seen.missed - self._by_env["tolerated"])
            self._boost = np.clip(FORGETS * self._boost + 0.1 * missed, LEAST_BOOST, MOST_BOOST)
        level = self._demand.level()
        demands = [level * self._demand.ratios(seen.bins, ahead) for ahead in range(HORIZONS)]
        targets = self._targets(seen, level, demands)
        return self._action(seen, targets, self._model_knobs(seen, level, demands))

    def _targets(self, seen: Sight, level: Reals, demands: list[Reals]) -> Reals:
        """Whole instances of each region and stream, shape (E, R, S)."""
        w, models = self._by_env, self.facts.streams[0]
        shares = self._shares()
        needs = [self._need(ahead, demand, level, shares) for ahead, demand in enumerate(demands)]
        soon, later = np.max(needs[:SOON], axis=0), np.max(needs[SOON:], axis=0)
        need = np.maximum(soon, np.where(later > seen.warm, later, later * np.exp(w["warm"])))
        assert self._demand is not None
        batch = w["batch"] * shares * self._demand.batch.sum(axis=1)[:, models] * self._ratio
        total = need * np.exp(self._boost[:, models]) + batch
        more = w["constant"] + w.stream("stream_constant") + w["waiting"] * np.log1p(seen.waiting)[:, models] * 0.3
        more = more + w["busy"] * (seen.busy - 0.5)[:, models]
        total = np.maximum(total + shares * more, LEAST_TOTAL) + w["lost"] * seen.short.sum(axis=1)
        total = np.where(shares > 0.0, total, 0.0)
        ahead = np.max(demands[:3], axis=0)[:, :, models]
        pull = np.maximum(ahead, LEAST) ** w["local"][:, :, None] * seen.price ** -w["thrift"][:, :, None]
        want = total[:, None, :] * pull / pull.sum(axis=1, keepdims=True)
        least = np.ceil(total - w["rounding"])
        most = np.ceil(total - w["rounding"] + np.maximum(w["slack"], 0.0)) * (total > 0.0)
        held = seen.held.sum(axis=1)
        whole = np.where(self._bridges(seen, shares, least), held, np.clip(held, least, most))
        return settle(self.facts, seen.held, want, whole, seen.short > 0.0)

    @cached_property
    def _ratio(self) -> Reals:
        """Instances of a stream for one of its model's largest, shape (S,)."""
        model, kind = self.facts.streams
        ratio: Reals = self.facts.worth[model] / self.facts.capacity[model, kind]
        return ratio

    def _bridges(self, seen: Sight, shares: Reals, least: Reals) -> NDArray[np.bool_]:
        """Streams that are to serve nothing, and stay until those that are to serve their model are there; shape (E, S)."""
        models = self.facts.streams[0]
        is_late = (shares > 0.0) & (seen.active < least)
        of_model = np.stack([is_late[:, models == model].any(axis=1) for model in models], axis=1)
        return (shares == 0.0) & of_model

    def _shares(self) -> Reals:
        """Share of a model's demand that each stream carries, shape (E, S)."""
        models = self.facts.streams[0]
        mix = np.maximum(self._by_env.stream("mix") + self.facts.is_main, 0.0) + self.facts.is_main * LEAST
        whole = np.stack([mix[:, models == model].sum(axis=1) for model in models], axis=1)
        return mix / whole

    def _need(self, ahead: int, demand: Reals, level: Reals, shares: Reals) -> Reals:
        """Instances of each stream for the demand of an interval to come, shape (E, S)."""
        w, models = self._by_env, self.facts.streams[0]
        of_model, base = demand.sum(axis=1), level.sum(axis=1)
        load = of_model[:, models] * shares * self._ratio
        need = np.exp(w["linear"] + w.stream("stream_linear")) * load + np.maximum(w["root"], 0.0) * np.sqrt(load)
        height = np.log(of_model / base)[:, models]
        return need * np.exp(w[f"reach{ahead}"] + (w["peak"] + w.stream("stream_peak")) * height)

    def _model_knobs(self, seen: Sight, level: Reals, demands: list[Reals]) -> list[Reals]:
        """Routing thresholds and NIW release levels, high and low, as shares, each of shape (E, M)."""
        w, base = self._by_env, level.sum(axis=1)
        now, later = np.log(demands[0].sum(axis=1) / base), np.log(np.maximum(demands[1], demands[2]).sum(axis=1) / base)
        hour = seen.bins[:, None] * (DAY_S / HOUR_S / self.facts.calendar.shape[2])
        late = np.clip((hour - LATE_H) / (LAST_H - LATE_H), 0.0, 1.0)
        route = logistic(w["route"] + w["route_peak"] * now)
        release = w["release"] + w["release_peak"] * now + w["release_before"] * later
        high = logistic(release + w["release_age"] * seen.oldest + w["release_late"] * late)
        return [route, high, high * logistic(w["release_low"])]

    def _action(self, seen: Sight, targets: Reals, knobs: list[Reals]) -> NDArray[np.float32]:
        """The entries of mode ``knobs``: floors and caps are the targets, and the tick has no say."""
        facts, n_envs = self.facts, len(targets)
        shape = (n_envs, *self.facts.places["utilization"].shape)
        fleets = np.zeros((*shape, facts.vms.shape[1]))
        fleets[:, :, facts.streams[0], facts.streams[1]] = targets
        bounds = (fleets / np.maximum(facts.vms, 1.0)[None, :, None, :]).reshape(n_envs, -1)
        ticks = np.ones((n_envs, int(np.prod(shape[1:]))))
        parts = [bounds, bounds, ticks, 0.0 * ticks, *knobs]
        return (2.0 * np.concatenate(parts, axis=1) - 1.0).astype(np.float32)
