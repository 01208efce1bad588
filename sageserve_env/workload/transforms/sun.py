"""Traffic that follows the sun: the curve of a workload, in each region by the region's own clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

from sageserve_env.errors import InputError, quoted
from sageserve_env.workload.checks import check_number
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.transforms.operations import Counts, Operation, Plan, Shift

HOUR_S, DAY_S = 3600.0, 86_400.0
MOST_OFFSET_H = 14.0
"""Clocks are 12 hours behind UTC to 14 hours ahead."""


@dataclass(frozen=True)
class FollowSun(Operation):
    """Each region's share of the requests comes by its own clock: the workload's curve from ``utc_offset`` hours on, cyclic.

    Attributes:
        utc_offsets_h: Hours that the clock of each region is ahead of UTC, by region.
    """

    utc_offsets_h: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        """Check numbers."""
        if not self.utc_offsets_h:
            raise InputError("follow_sun: utc_offsets_h = {} names no region; give hours ahead of UTC by region")
        for region, hours in self.utc_offsets_h:
            check_number(f"follow_sun: hours of '{region}'", hours, minimum=-MOST_OFFSET_H, maximum=MOST_OFFSET_H, unit="h")

    def check(self, duration_s: float) -> None:
        """The curve goes round, so it must be whole days."""
        if duration_s % DAY_S:
            raise InputError(
                f"follow_sun: the workload lasts {duration_s:g} s, no whole days; give days or a week, and slice afterwards"
            )

    def label(self, name: str) -> str:
        """Name with the transform."""
        return f"{name},by local clocks"

    def before(self) -> None:
        """What came before in one region is not what came before in another."""
        return

    def fold(self, intensity: Intensity, seed: int, number: int) -> Intensity:
        """The regions' intensities, each shifted, side by side: for every series as many as it has regions."""
        parts = []
        for region, hours in self.utc_offsets_h:
            shares = [self._share(series, region) for series in intensity.series]
            kept = [k for k, share in enumerate(shares) if share > 0]
            if kept:
                own = of_region(intensity, region, {k: shares[k] for k in kept})
                parts.append(Shift(-hours * HOUR_S).fold(own, seed, number))
        return reduce(Intensity.merged, parts)

    def plan(self, duration_s: float, models: tuple[str, ...], measure: Callable[[], Counts], seed: int) -> Plan:
        """Requests on record have one clock."""
        raise InputError("follow_sun: the workload is a record of requests; give one made of rates, such as O365Week")

    def _share(self, series: Series, region: str) -> float:
        """A region's share of a series, 0 to 1."""
        offsets = dict(self.utc_offsets_h)
        regions = series.regions or dict.fromkeys(offsets, 1.0)
        unknown = [name for name, share in regions.items() if share > 0 and name not in offsets]
        if unknown:
            raise InputError(f"follow_sun: the clock of {quoted(unknown)} is not known; give hours ahead of UTC for each region")
        return regions.get(region, 0.0) / sum(regions.values())


def of_region(intensity: Intensity, region: str, shares: dict[int, float]) -> Intensity:
    """A region's shares of some series, by their places, as an intensity of its own."""
    kept = list(shares)
    arrays = {name: getattr(intensity, name)[kept] for name in ("rate", "prompt_factor", "shape", "law")}
    arrays["rate"] = arrays["rate"] * [[share] for share in shares.values()]
    series = tuple(replace(intensity.series[k], regions={region: 1.0}) for k in kept)
    return Intensity(series, intensity.edges, **arrays)
