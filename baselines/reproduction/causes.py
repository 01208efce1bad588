"""Why figures of ours differ from the paper's, as far as a run has shown it; shown beside rows that disagree.

A cause stands here only with the rows that show it, which the report has, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from baselines.reproduction.lab import Setting
from baselines.reproduction.rows import DIFFERS, SIZE_DIFFERS, UNEXPLAINED, Row

CUT = "the run is cut down, so sizes are not comparable"


@dataclass(frozen=True)
class Cause:
    """What was found, and the rows of the report that show it."""

    text: str
    shown_by: tuple[str, ...]

    def __str__(self) -> str:
        """The cause with its evidence."""
        return f"{self.text} (rows {', '.join(self.shown_by)})"


MEASURE = "the measure: by 15-minute peaks, as the authors count, the same runs agree"
GAPS = "the gaps between arrivals: with a coefficient of variation of 2 instead of Poisson's 1 it agrees"
BLOOM = "Bloom-176B, whose scale-outs it counts, too, and whose number is not explained"

BY_MEAN = (
    *("measured/lt-i", "measured/lt-u", "measured/lt-ua", "measured-mix/9:1", "measured-mix/1:1"),
    *("written/h100/lt-i", "written/h100/lt-ua", "mix/9:1", "mix/1:1"),
)

CAUSES: dict[str, Cause] = {
    **{f"{runs}/change-mean": Cause(MEASURE, (f"{runs}/change-peak",)) for runs in BY_MEAN},
    **{f"measured/{name}/poisson-ttft-p90": Cause(GAPS, (f"measured/{name}/ttft-p90",)) for name in ("lt-u", "lt-ua")},
    "measured/reactive/waste": Cause(BLOOM, ("measured/reactive/bloom-scale-outs",)),
}
"""By the beginning of a row's name; the longest that fits counts."""


def cause_of(row: Row, setting: Setting) -> str:
    """The cause of a disagreement; empty where there is none."""
    if row.agrees not in (DIFFERS, SIZE_DIFFERS):
        return ""
    if not setting.is_full:
        return CUT
    fitting = [key for key in CAUSES if row.row.startswith(key)]
    return str(CAUSES[max(fitting, key=len)]) if fitting else UNEXPLAINED
