"""Scores of single episodes between the anchors, and their figure: performance profiles."""

from __future__ import annotations

import numpy as np

from sageserve_env.evaluation.statistics import performance_profile
from sageserve_env.leaderboard.page.plot import Curve, Plot, Scale, across, steps, upward
from sageserve_env.leaderboard.tables.standings import Ranking, Standing, rows_of

MOST_LINES = 8
"""Policies in a figure; as many as there are colours."""

LOWEST = -1.0
"""Where the figure ends at the left, at most so far below tuned reactive."""


def scores_of(standing: Standing, found: Ranking) -> list[float]:
    """A policy's scores, of the episodes that have both anchors; none where hindsight is not the cheaper one."""
    if standing.figures["normalised"] is None:
        return []
    return [row.normalised for row in rows_of(standing.entry, found.table) if row.normalised is not None]


def profile_plot(found: Ranking, folder: str) -> Plot | None:
    """Share of the episodes in which a feasible policy scores above each threshold; None where there are no scores.

    Args:
        found: The standings.
        folder: Of the policies' pages, from the page that the figure is on.
    """
    scores = {each.name: scores_of(each, found) for each in found.ranked}
    shown = [(name, values) for name, values in scores.items() if values][:MOST_LINES]
    if not shown:
        return None
    least, most = min(min(values) for _, values in shown), max(max(values) for _, values in shown)
    span = Scale(max(LOWEST, min(0.0, least)), max(1.0, most))
    curves = [
        Curve(name, f"c{number} d{number}", profile_path(values, span), f"{folder}/{name}.html")
        for number, (name, values) in enumerate(shown)
    ]
    about = f"Performance profiles of {len(curves)} policies, over {len(shown[0][1])} episodes"
    x_name = "score: 0 is tuned reactive, 1 is hindsight"
    head = "Performance profiles", "share of the episodes above the score", about
    return Plot(*head, across(span), upward(Scale(0.0, 1.0)), curves, x_name)


def profile_path(scores: list[float], span: Scale) -> str:
    """The share of scores above each threshold, which falls at every score.

    Example:
        >>> profile_path([0.0, 0.5], Scale(-1.0, 1.0))
        'M0 0H500V500H750V1000H1000'
    """
    inner = sorted({score for score in scores if span.low < score < span.high})
    edges = np.array([span.low, *inner, span.high])
    return steps(span(edges), performance_profile(scores, edges[:-1]))
