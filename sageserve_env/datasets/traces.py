"""The Croissant metadata of the traces and measurements that the package ships: ``croissant.json`` beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sageserve_env
from sageserve_env.datasets.croissant import file_object, metadata

FILE = Path(__file__).with_name("croissant.json")

PACKAGE = Path(__file__).parents[1]

MIT, APACHE = "https://opensource.org/license/mit", "https://www.apache.org/licenses/LICENSE-2.0"
CC_BY, ODBL = "https://creativecommons.org/licenses/by/4.0/", "https://opendatacommons.org/licenses/odbl/1-0/"

LICENCES = {
    "workload/data/azure2023": CC_BY,
    "workload/data/azure2024": CC_BY,
    "workload/data/mooncake": APACHE,
    "workload/data/o365": MIT,
    "workload/data/servegen": APACHE,
    "world/data/electricity_maps": ODBL,
    "world/data/globe/azure_egress_usd_per_gb.csv": MIT,
    "world/data/globe/azure_round_trip_ms.csv": CC_BY,
    "world/data/globe/azure_vm_prices.csv": APACHE,
    "world/data/llama31_8b_prefill_by_length.csv.gz": MIT,
    "world/data/perf_profiles.csv.gz": MIT,
    "world/data/power_fits.csv": MIT,
    "world/data/power_runs.csv.gz": APACHE,
    "world/data/silicon_fits.csv": MIT,
    "world/data/silicon_runs.csv.gz": APACHE,
}
"""Licence by the beginning of a file's path; whose each is stands in the README of its folder."""

DESCRIPTION = (
    "Traffic of services of large language models (Office 365, Azure, Mooncake, Alibaba Cloud's Model Studio), measured iteration "
    "times and power of serving engines, carbon of electricity, prices and round trips, as sageserve-env embeds them: numbers "
    "only. What was changed, which values are exact and which are read from figures, and the attribution to keep are in "
    "workload/data/README.md and world/data/README.md."
)


def trace_metadata() -> dict[str, Any]:
    """The metadata, from the files as they are.

    Raises:
        KeyError: A file has no licence here.
    """
    paths = sorted(path for room in ("workload", "world") for path in (PACKAGE / room / "data").rglob("*") if is_data(path))
    return metadata(
        "sageserve-env-data",
        DESCRIPTION,
        licences=sorted(set(LICENCES.values())),
        version=sageserve_env.__version__,
        files=[file_object(path, PACKAGE, licence_of(path)) for path in paths],
        isLiveDataset=False,
        citeAs="Jaiswal et al., SageServe, POMACS 9(3), Article 61, 2025, doi:10.1145/3771576; and the sources of each folder",
    )


def is_data(path: Path) -> bool:
    """Whether a file holds data, and is no licence, page or program."""
    return path.name.endswith((".csv", ".csv.gz", ".npz"))


def licence_of(path: Path) -> str:
    """Address of a file's licence text.

    Raises:
        KeyError: It has none here.
    """
    name = path.relative_to(PACKAGE).as_posix()
    found = [licence for begin, licence in LICENCES.items() if name.startswith(begin)]
    if len(found) != 1:
        raise KeyError(f"{name} has {len(found)} licences in LICENCES; give it one")
    return found[0]
