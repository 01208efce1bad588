"""What a problem tells everyone: its fleet, its prices, when its peaks come, and where each quantity is in the observation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.observation.encode import DAY_S, REQUESTS_SCALE, observation_features, rate_scales
from sageserve_env.errors import InputError
from sageserve_env.scenarios import Problem, load_problem
from sageserve_env.scenarios.sources import CurveSource, Peaks
from sageserve_env.world.schema import TIERS, World

Reals = NDArray[np.float64]
Places = NDArray[np.int64]

FLEET = ("target", "active", "provisioning", "spot_same_model")


@dataclass(frozen=True)
class Facts:
    """Of a problem. R regions, M models, K VM types, S streams: the pairs of a model and a VM type that it runs on.

    Attributes:
        name: Name of the problem.
        capacity: Input tokens/s that one instance sustains, shape (M, K); 0 where the model does not run.
    """

    name: str
    capacity: Reals

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: The world has several pools, or the capacity another shape.
        """
        pools, shape = self.world.pools, (len(self.world.models), len(self.world.vm_types))
        if len(pools) != 1:
            raise InputError(f"'{self.name}' has pools {', '.join(pool.name for pool in pools)}; the shared policy plays one")
        if self.capacity.shape != shape or not (self.capacity >= 0).all() or not (self.capacity.max(axis=1) > 0).all():
            raise InputError(f"capacity is not of '{self.name}'; give tokens/s, shape {shape}, above 0 on a VM type of each model")

    @cached_property
    def problem(self) -> Problem:
        """The problem."""
        return load_problem(self.name)

    @cached_property
    def world(self) -> World:
        """Its world."""
        return self.problem.world()

    @cached_property
    def vms(self) -> Reals:
        """VMs by region and type, shape (R, K)."""
        types = self.world.vm_types
        return np.array([[region.vm_capacity.get(kind.name, 0) for kind in types] for region in self.world.regions], np.float64)

    @cached_property
    def rate_scale(self) -> Reals:
        """Tokens/s that an entry of 1 of the arrivals stands for, shape (R, M)."""
        return rate_scales(self.world)

    @cached_property
    def streams(self) -> tuple[Places, Places]:
        """Model and VM type of each stream, both of shape (S,)."""
        model, kind = np.nonzero(self.capacity)
        return model, kind

    @cached_property
    def worth(self) -> Reals:
        """Tokens/s of an instance on the VM type of each model that sustains most, shape (M,)."""
        worth: Reals = self.capacity.max(axis=1)
        return worth

    @cached_property
    def stream_names(self) -> list[str]:
        """Model and VM type of each stream, S of them."""
        models, kinds = self.world.models, self.world.vm_types
        return [f"{models[model].name} on {kinds[kind].name}" for model, kind in zip(*self.streams, strict=True)]

    @cached_property
    def is_main(self) -> NDArray[np.bool_]:
        """Whether a stream is the one that serves its model's tokens for the least money, shape (S,)."""
        model, kind = self.streams
        price = np.array([each.price_usd_per_h for each in self.world.vm_types])
        cost = price[kind] / self.capacity[model, kind]
        return np.array([cost[s] == cost[model == model[s]].min() for s in range(len(model))])

    @cached_property
    def list_price(self) -> Reals:
        """Price of a stream's VM in a region over the mean of the regions, shape (R, S)."""
        kinds = self.world.vm_types
        prices = [
            [(region.price_usd_per_h or {}).get(kind.name, kind.price_usd_per_h) for kind in kinds] for region in self.world.regions
        ]
        ratio = np.array(prices) / np.mean(prices, axis=0)
        return ratio[:, self.streams[1]]

    @cached_property
    def first_level(self) -> Reals:
        """A third of a model's instances in a region at the start, shape (M,)."""
        return np.array([self.world.pools[0].instances.get(model.name, 0) for model in self.world.models]) / 3.0

    @cached_property
    def calendar(self) -> Reals:
        """Interactive demand in each interval of the day over what it is without peaks, shape (R, M, intervals of a day)."""
        source, interval_s = self.problem.source, self.problem.control_interval_s
        steps = round(DAY_S / interval_s)
        ones = np.ones((len(self.world.regions), len(self.world.models), steps))
        if not isinstance(source, CurveSource):
            return ones
        clocks = dict(source.clocks_s)
        peaks = {each.model: each.peaks for each in source.traffic}
        for r, region in enumerate(self.world.regions):
            for m, model in enumerate(self.world.models):
                peak = peaks.get(model.name)
                if peak is not None:
                    ones[r, m] = peak_factors(peak, clocks.get(region.name, 0.0), interval_s, steps)
        return ones

    @cached_property
    def places(self) -> dict[str, Places]:
        """Where the entries are in a flat observation, by name: (R, M, ...) of endpoints, (R,) of regions, (2,) of the clock."""
        index = {feature.name: k for k, feature in enumerate(observation_features(self.world))}
        pool, models = self.world.pools[0].name, [model.name for model in self.world.models]
        regions, kinds = [region.name for region in self.world.regions], [kind.name for kind in self.world.vm_types]

        def of_endpoints(*names: str) -> Places:
            return np.array([[[index[f"{r}/{m}/{pool}/{name}"] for name in names] for m in models] for r in regions])

        places = {name: of_endpoints(*(f"{name}[{kind}]" for kind in kinds)) for name in FLEET}
        places["arrivals"] = of_endpoints(*(f"arrivals[{tier},0 intervals ago]" for tier in TIERS))
        places["waiting"] = of_endpoints(*(f"waiting[{tier}]" for tier in TIERS[:2]))
        places["attainment"] = of_endpoints(f"attainment[{TIERS[0]}]")[..., 0]
        places["utilization"] = of_endpoints("utilization")[..., 0]
        places["oldest"] = of_endpoints("niw_oldest")[..., 0]
        places["clock"] = np.array([index["time_of_day/sin"], index["time_of_day/cos"]])
        if f"{regions[0]}/price[now]" in index:
            places["price"] = np.array([index[f"{region}/price[now]"] for region in regions])
        return places


def peak_factors(peaks: Peaks, clock_s: float, interval_s: float, steps: int) -> Reals:
    """Factors on the interactive demand of a region whose day begins ``clock_s`` earlier, shape (steps,)."""
    local_s = clock_s + (np.arange(steps) + 0.5) * interval_s
    hour, second = np.divmod(local_s % DAY_S, 3600.0)
    is_peak = np.isin(hour, peaks.hours) & (second >= peaks.start_s) & (second < peaks.start_s + peaks.duration_s)
    return np.where(is_peak, peaks.factor, 1.0)


def requests(entries: Reals) -> Reals:
    """Requests that wait, of entries on the observation's logarithmic scale."""
    return np.expm1(entries * np.log1p(REQUESTS_SCALE))
