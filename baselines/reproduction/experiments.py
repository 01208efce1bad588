"""All experiments by name: the part of the report that each belongs to, and the function from a laboratory to its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from baselines.reproduction import as_measured, as_written, planning
from baselines.reproduction.lab import Lab
from baselines.reproduction.rows import MEASURED, WATERFALL, WRITTEN, Row
from baselines.reproduction.waterfall import waterfall


@dataclass(frozen=True)
class Experiment:
    """A part of the report, and what measures the rows."""

    part: str
    rows: Callable[[Lab], Iterator[Row]]


EXPERIMENTS: dict[str, Experiment] = {
    "measured": Experiment(MEASURED, as_measured.measured),
    "measured-thresholds": Experiment(MEASURED, as_measured.thresholds),
    "measured-mix": Experiment(MEASURED, as_measured.mixes),
    "measured-cool-downs": Experiment(MEASURED, as_measured.cool_downs),
    "waterfall": Experiment(WATERFALL, waterfall),
    "written": Experiment(WRITTEN, as_written.written),
    "load": Experiment(WRITTEN, as_written.load),
    "theta": Experiment(WRITTEN, as_written.theta),
    "unified": Experiment(WRITTEN, as_written.unified),
    "mix": Experiment(WRITTEN, as_written.mix),
    "bursts": Experiment(WRITTEN, as_written.bursts),
    "admission": Experiment(WRITTEN, as_written.admission),
    "forecasts": Experiment(WRITTEN, planning.forecasts),
    "solver": Experiment(WRITTEN, planning.solver),
    "money": Experiment(WRITTEN, as_written.money),
}
"""What a reproduction runs."""

EXTRA: dict[str, Experiment] = {"week": Experiment(WRITTEN, as_written.week)}
"""What it runs when asked."""
