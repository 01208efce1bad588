"""What the episodes of an evaluation come to: dollars, service by tier, and where the policy stands between the anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.evaluation.locked.play.episode import Row
from sageserve_env.evaluation.locked.play.measured import MEASURED
from sageserve_env.evaluation.problems.episodes import LEVELS
from sageserve_env.evaluation.statistics import bootstrap_interval, interquartile_mean, optimality_gap
from sageserve_env.world.schema import TIERS

MEANS = ("vm_usd", "breach_usd", "egress_usd", "carbon_usd", "waste_usd", "vm_hours", "spot_hours", "carbon_kg", "energy_kwh")
"""Terms whose means are told."""


def summary(rows: Sequence[Row], held_out: int, is_bound: bool) -> dict[str, Any]:
    """Figures of the episodes that did not fail.

    Args:
        rows: The episodes played.
        held_out: How many there are.
        is_bound: The policy was shown the future.

    Returns:
        ``is_complete``: all were played; ``is_ranked``: so it is, none failed, and the policy is no bound; ``is_feasible``: every
        tier held its level in every one of them; ``missed``: the worst share of each tier that did not; means of an episode, with
        the bootstrapped interval of the mean dollars; what else was measured; the days; ``normalised``, over the episodes of which
        both anchors are known.
    """
    scored = [row for row in rows if row.failure is None]
    return {**counts(rows, held_out, is_bound), **(_figures(scored) if scored else {})}


def counts(rows: Sequence[Row], held_out: int, is_bound: bool) -> dict[str, Any]:
    """How many episodes were played and failed, and whether they make a rank: what :func:`summary` begins with."""
    failed, is_complete = sum(row.failure is not None for row in rows), len(rows) == held_out
    is_ranked = is_complete and not failed and not is_bound
    return {"episodes": len(rows), "failed": failed, "is_complete": is_complete, "is_ranked": is_ranked}


def by_day(rows: Sequence[Row], values: Sequence[float]) -> NDArray[np.float64]:
    """Values of episodes as (variants, days), the statistics' runs and tasks; one column unless each day has as many, and two."""
    days = list(dict.fromkeys(str(row.episode["day"]) for row in rows))
    columns = [[value for row, value in zip(rows, values, strict=True) if row.episode["day"] == day] for day in days]
    if len({len(column) for column in columns}) > 1 or len(columns[0]) < 2:
        return np.array([values], np.float64).T
    return np.array(columns, np.float64).T


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    scores = [row.score for row in rows]
    worst = {tier: min(score.attainment[tier] for score in scores) for tier in TIERS}
    usd = [score.usd for score in scores]
    return {
        "is_feasible": all(score.is_feasible for score in scores),
        "held": sum(score.is_feasible for score in scores),
        "overfull": sum(row.is_overfull for row in rows),
        "missed": {tier: worst[tier] for tier, level in zip(TIERS, LEVELS, strict=True) if worst[tier] < level},
        "usd": float(np.mean(usd)),
        "usd_interval": list(bootstrap_interval(_mean, by_day(rows, usd))),
        "breaches": float(np.mean([score.breaches for score in scores])),
        "attainment": {tier: float(np.mean([score.attainment[tier] for score in scores])) for tier in TIERS},
        "attainment_worst": worst,
        **{name: float(np.mean([row.terms[name] for row in rows])) for name in MEANS},
        "measured": {name: mean_of_known([row.measured.get(name) for row in rows]) for name in MEASURED},
        "days": days(rows),
        "normalised": _normalised(rows),
    }


def days(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Of each day: its episodes, how many held every level, mean dollars with an interval, and the worst share of each tier."""
    found = []
    for day in dict.fromkeys(str(row.episode["day"]) for row in rows):
        played = [row for row in rows if row.episode["day"] == day]
        usd = [row.score.usd for row in played]
        found.append(
            {
                "day": day,
                "episodes": len(played),
                "held": sum(row.score.is_feasible for row in played),
                "usd": float(np.mean(usd)),
                "usd_interval": list(bootstrap_interval(_mean, usd)),
                "attainment_worst": {tier: min(row.score.attainment[tier] for row in played) for tier in TIERS},
                "normalised": mean_of_known([row.normalised for row in played]),
            }
        )
    return found


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are known; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _normalised(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Dollars between the anchors, in the episodes that have both; None where none has, or hindsight is not the cheaper one."""
    pairs = [(row, row.anchors) for row in rows if row.anchors is not None]
    if not pairs or any(anchors["hindsight_usd"] >= anchors["reactive_usd"] for _, anchors in pairs):
        return None
    usd = np.array([row.score.usd for row, _ in pairs])
    above = np.array([anchors["reactive_usd"] for _, anchors in pairs])
    below = np.array([anchors["hindsight_usd"] for _, anchors in pairs])
    table = by_day([row for row, _ in pairs], ((above - usd) / (above - below)).tolist())
    return {
        "episodes": len(pairs),
        "score": float((above - usd).sum() / (above - below).sum()),
        "interquartile_mean": interquartile_mean(table),
        "interval": list(bootstrap_interval(interquartile_mean, table)),
        "optimality_gap": optimality_gap(table),
        "reactive_usd": float(above.mean()),
        "reactive_held": sum(bool(anchors["reactive_is_feasible"]) for _, anchors in pairs),
        "hindsight_usd": float(below.mean()),
        "hindsight_held": sum(bool(anchors["hindsight_is_feasible"]) for _, anchors in pairs),
    }


def _mean(scores: NDArray[np.float64]) -> float:
    return float(scores.mean())
