"""The Office 365 week round the globe: in each region of the world ``globe`` by the region's clock."""

from __future__ import annotations

from sageserve_env.workload.drawn.generated import CHUNK_ROWS, IntensityWorkload
from sageserve_env.workload.sources.o365 import IW_FAST_SHARE, REGION_SHARES, O365Week
from sageserve_env.workload.sources.o365_data import SUCCESSORS, WEEK_S
from sageserve_env.world.presets.globe import UTC_OFFSETS_H


def globe_week(
    start_s: float = 0.0,
    duration_s: float = WEEK_S,
    *,
    scale: float = 1.0,
    cv: float = 1.0,
    iw_fast_share: float = IW_FAST_SHARE,
    region_shares: dict[str, float] | None = None,
    chunk_rows: int = CHUNK_ROWS,
    name: str = "globe-week",
) -> IntensityWorkload:
    """The week for the models of the worlds ``modern`` and ``globe``; its curve follows the sun, its time is UTC.

    Args:
        start_s: Start of the slice, seconds from Monday 00:00 UTC, in [0, 604800).
        duration_s: Length of the slice in seconds, to the end of the week at most.
        scale: Factor on all intensities; 1 gives the week's 7.2 M requests.
        cv: Coefficient of variation of gaps, as of :class:`O365Week`.
        iw_fast_share: IW-F as a share of interactive requests, 0 to 1.
        region_shares: Relative shares of the regions of origin, of every model; the default is equal shares [A].
        chunk_rows: Most requests in a chunk; changes nothing else.
        name: Shown in reports.

    Raises:
        InputError: An argument is out of range, or a region has no clock in ``world.presets.globe.PLACES``.

    Example:
        >>> round(globe_week().folded(0).expected().sum())
        7199996
    """
    shares = region_shares or dict.fromkeys(UTC_OFFSETS_H, 1.0)
    by_model = dict.fromkeys(REGION_SHARES, shares)
    week = O365Week(
        scale=scale, cv=cv, iw_fast_share=iw_fast_share, region_shares=by_model, models=SUCCESSORS, chunk_rows=chunk_rows, name=name
    ).follow_sun(UTC_OFFSETS_H)
    chosen = week if (start_s, duration_s) == (0.0, WEEK_S) else week.slice(start_s, duration_s)
    chosen.name = name
    return chosen
