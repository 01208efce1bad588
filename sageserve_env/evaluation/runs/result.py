"""What a run leaves: a record in memory, and the same as a folder of Parquet and JSON files."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import sageserve_env
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runs.folder import result_folder
from sageserve_env.evaluation.runs.request_table import request_table
from sageserve_env.evaluation.runs.series import Series
from sageserve_env.extras import need_arrow
from sageserve_env.sim.readout.metrics import Metrics, import_pandas, plain_rows
from sageserve_env.world import World, dump_world, parse_world

FORMAT = 1
"""Version of the files; a reader refuses others."""

FACTS = (
    "scenario",
    "policy",
    "policy_options",
    "seed",
    "workload",
    "week_start_s",
    "horizon_s",
    "control_interval_s",
    "resolution_s",
    "wall_s",
)
"""Fields of a result that scenario.json holds as they are."""


@dataclass(frozen=True)
class Result:
    """What one episode left.

    Attributes:
        scenario, policy, workload: Names.
        policy_options: Arguments of the policy.
        seed: Of the workload and the policy.
        world: The scenario's world.
        week_start_s: Seconds from Monday 00:00 to the start of the workload, where known; figures use it.
        horizon_s: Simulated seconds.
        control_interval_s: Seconds between two decisions.
        resolution_s: Seconds between two rows of the series.
        metrics: Totals and percentiles.
        series: Columns over time, by the names that ``evaluation.runs.series.Sampler`` lists, each of shape (samples,).
        requests: One row for each finished request (dtype ``sim.state.LOG``), if they were logged; None after :meth:`load`.
        wall_s: Seconds that the simulation took, compilation not included.
    """

    scenario: str
    policy: str
    policy_options: dict[str, Any]
    seed: int
    world: World
    workload: str
    week_start_s: float | None
    horizon_s: float
    control_interval_s: float
    resolution_s: float
    metrics: Metrics
    series: Series
    requests: NDArray[np.void] | None
    wall_s: float

    @property
    def requests_per_s(self) -> float:
        """Requests that arrived for each second of wall time."""
        return self.metrics.total.arrived / self.wall_s

    def series_frame(self) -> Any:
        """The series as a pandas DataFrame, one row for each interval.

        Raises:
            InputError: pandas is not installed.
        """
        return import_pandas().DataFrame(self.series)

    def save(self, folder: str | Path) -> Path:
        """Write the result into a folder, all of it or nothing; the folder of an earlier result is replaced.

        - ``scenario.json``: the run's facts, the world as YAML text, and the versions that made it.
        - ``metrics.json``: :meth:`Metrics.to_dict`.
        - ``metrics.parquet``, ``fleet.parquet``: the service and fleet rows of the metrics.
        - ``series.parquet``: the series, wide: one column for each name.
        - ``requests.parquet``: one row for each finished request, if they were logged.

        In all of them null stands for what was not measured or did not happen.

        Args:
            folder: Where; made if it does not exist, with its parents.

        Returns:
            The folder.

        Raises:
            InputError: The folder holds other things than a result, or cannot be written.
            MissingExtra: pyarrow is not installed; nothing is written.
        """
        need_arrow("saving a result")
        with result_folder(Path(folder)) as fresh:
            self.write(fresh)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read what :meth:`save` wrote, without the requests.

        Raises:
            InputError: A file is missing or is not what ``save`` writes.
            MissingExtra: pyarrow is not installed.
        """
        pa, pq = need_arrow("loading a result")
        folder = Path(folder)
        facts = _read_json(folder / "scenario.json")
        if facts.get("format") != FORMAT:
            raise InputError(
                f"{folder / 'scenario.json'} has format {facts.get('format')}; this version reads {FORMAT}: run it anew"
            )
        metrics, path = _read_json(folder / "metrics.json"), folder / "series.parquet"
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} cannot be read ({_first_line(error)}); run the scenario anew") from None
        try:
            return cls(
                **{name: facts[name] for name in FACTS},
                world=parse_world(facts["world"], source=str(folder / "scenario.json")),
                metrics=Metrics.from_dict(metrics),
                series={name: table.column(name).to_numpy().copy() for name in table.column_names},
                requests=None,
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"{folder} is no result: {error} is missing or wrong; run the scenario anew") from None

    def write(self, folder: Path) -> None:
        """All files, into an empty folder that is still being made; :meth:`save` makes one."""
        pa, pq = need_arrow("saving a result")
        facts = {"format": FORMAT, **{name: getattr(self, name) for name in FACTS}, "requests_per_s": self.requests_per_s}
        _write_json(folder / "scenario.json", {**facts, "versions": versions(), "world": dump_world(self.world)})
        _write_json(folder / "metrics.json", self.metrics.to_dict())
        pq.write_table(pa.Table.from_pylist(plain_rows(self.metrics.service)), folder / "metrics.parquet")
        pq.write_table(pa.Table.from_pylist(plain_rows(self.metrics.fleet)), folder / "fleet.parquet")
        columns = {name: pa.array(column, from_pandas=True) for name, column in self.series.items()}  # NaN becomes null
        pq.write_table(pa.table(columns), folder / "series.parquet")
        if self.requests is not None:
            pq.write_table(request_table(self.requests, self.world), folder / "requests.parquet")


def versions() -> dict[str, str]:
    """What made a result."""
    return {
        "sageserve_env": sageserve_env.__version__,
        "python": platform.python_version(),
        "numba": numba.__version__,
        "numpy": np.__version__,
    }


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, allow_nan=False, default=str) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({_first_line(error)}); give a folder that a run has written") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no JSON object; give a folder that a run has written")
    return values


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
