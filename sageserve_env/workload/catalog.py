"""Named workloads, and the way from a name or a path to a workload."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from sageserve_env.errors import InputError
from sageserve_env.workload.sources.azure2024 import azure2024
from sageserve_env.workload.sources.data_files import DATA
from sageserve_env.workload.sources.globe import globe_week
from sageserve_env.workload.sources.o365 import SCALE_2025, O365Week
from sageserve_env.workload.sources.o365_data import SUCCESSORS
from sageserve_env.workload.sources.o365_june import o365_june
from sageserve_env.workload.sources.servegen import servegen
from sageserve_env.workload.traces.files.opening import SUFFIXES
from sageserve_env.workload.traces.trace import Trace
from sageserve_env.workload.transforms.compose import Composable

HOUR_S, DAY_S = 3600.0, 86_400.0

PEAK_DAY_S = 0.0
"""Monday: the day of the O365 week with the most requests (1.61 M), and the most prompt tokens."""

PEAK_HOUR_S = 35 * HOUR_S
"""Tuesday 11:00: the hour of the O365 week with the most requests (94 thousand)."""

PEAK_DAY_REQUESTS = 1_614_527.0
"""Expected requests of the peak day."""

AZURE_2023_WEEK_START_S = {"conv": 3 * DAY_S + 65_746.68, "code": 3 * DAY_S + 65_823.98}
"""Thursday 2023-11-16 18:15:46.68 and 18:17:03.98, in seconds from Monday 00:00."""


@dataclass(frozen=True)
class Entry:
    """A named workload.

    Attributes:
        about: One line.
        make: Makes it; its keyword arguments are the options.
    """

    about: str
    make: Callable[..., Composable]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the keyword arguments; ``scale`` always multiplies the named workload."""
        fixed = ("path", "model", "service", "scale", "name")
        return ("scale", *(name for name in inspect.signature(self.make).parameters if name not in fixed))


def _public_trace(file: str, name: str, **fixed: Any) -> Callable[..., Composable]:
    return partial(Trace, DATA / file, name=name, **fixed)


_modern = partial(O365Week, models=SUCCESSORS)

CATALOG: dict[str, Entry] = {
    "o365-week": Entry("The paper's week from Monday on: 7.2 M requests, 4 models, 3 regions", O365Week),
    "o365-day": Entry("Its busiest day, Monday: 1.6 M requests", partial(O365Week, PEAK_DAY_S, DAY_S, name="o365-day")),
    "o365-tuesday": Entry(
        "Its Tuesday, the day of the authors' printed figures: 1.5 M requests", partial(O365Week, DAY_S, DAY_S, name="o365-tuesday")
    ),
    "o365-thursday": Entry(
        "Its Thursday, Llama-2-70B's busiest day: 1.1 M requests", partial(O365Week, 3 * DAY_S, DAY_S, name="o365-thursday")
    ),
    "o365-hour": Entry("Its busiest hour, Tuesday 11:00: 94 k requests", partial(O365Week, PEAK_HOUR_S, HOUR_S, name="o365-hour")),
    "o365-weekend": Entry("Its Saturday and Sunday: 0.8 M requests", partial(O365Week, 5 * DAY_S, 2 * DAY_S, name="o365-weekend")),
    "o365-2024-06-26": Entry("An earlier Wednesday, 2 models, regions with curves of their own: 0.5 M requests", o365_june),
    "scale2025-day": Entry(
        "The busiest day at July 2025's 10 M requests a day",
        partial(O365Week, PEAK_DAY_S, DAY_S, scale=10e6 / PEAK_DAY_REQUESTS, name="scale2025-day"),
    ),
    "scale2025-week": Entry(
        "The week at July 2025's 10 M requests a day: 70 M", partial(O365Week, scale=SCALE_2025, name="scale2025-week")
    ),
    "modern-week": Entry("The paper's week for the models of the world 'modern'", partial(_modern, name="modern-week")),
    "modern-day": Entry("Its busiest day: 1.6 M requests", partial(_modern, PEAK_DAY_S, DAY_S, name="modern-day")),
    "modern-hour": Entry("Its busiest hour: 94 k requests", partial(_modern, PEAK_HOUR_S, HOUR_S, name="modern-hour")),
    "globe-week": Entry("The week for the world 'globe': each region by its own clock", globe_week),
    "globe-day": Entry("Its Tuesday, UTC: 1.5 M requests", partial(globe_week, DAY_S, DAY_S, name="globe-day")),
    "azure2023-conv": Entry(
        "Azure 2023 conversation trace: 19 k requests in 58 minutes",
        _public_trace("azure2023/azure2023_conv.csv.gz", "azure2023-conv", week_start_s=AZURE_2023_WEEK_START_S["conv"]),
    ),
    "azure2023-code": Entry(
        "Azure 2023 code trace: 8.8 k requests in 57 minutes",
        _public_trace("azure2023/azure2023_code.csv.gz", "azure2023-code", week_start_s=AZURE_2023_WEEK_START_S["code"]),
    ),
    "azure2024-conv-week": Entry("Azure 2024 conversation rates, Sunday on: 27 M requests", partial(azure2024, "conv")),
    "azure2024-code-week": Entry("Azure 2024 code rates, Friday on: 17 M requests", partial(azure2024, "code")),
    "mooncake": Entry(
        "Mooncake conversation trace: 12 k long prompts in 59 minutes",
        _public_trace("mooncake/mooncake_conversation.csv.gz", "mooncake"),
    ),
    "servegen-m-small": Entry(
        "ServeGen m-small, first day, 1 % of its rates: 0.9 M requests", partial(servegen, "m-small", duration_s=DAY_S, scale=0.01)
    ),
    "servegen-m-mid": Entry(
        "ServeGen m-mid, first day, 1 % of its rates: 1.2 M requests", partial(servegen, "m-mid", duration_s=DAY_S, scale=0.01)
    ),
    "servegen-m-large": Entry(
        "ServeGen m-large, first day, 10 % of its rates: 2.4 M requests", partial(servegen, "m-large", duration_s=DAY_S, scale=0.1)
    ),
    "servegen-deepseek-r1": Entry("ServeGen DeepSeek-R1, its one day: 1.4 M requests", partial(servegen, "deepseek-r1")),
}
"""All named workloads."""


def load_workload(name_or_path: str | Path, **options: Any) -> Composable:
    """A workload by its name in ``CATALOG``, or a trace file by its path.

    Args:
        name_or_path: A name, or a path (anything with a suffix of a trace file, or a path separator).
        **options: Keyword arguments of the workload, such as ``cv``, ``mapping``, ``chunk_rows``; and ``scale``, a factor on the
            named workload's number of requests.

    Raises:
        InputError: No such name or file, or an option that this workload does not have.

    Example:
        >>> load_workload("o365-day", scale=0.1).duration_s
        86400.0
    """
    text = str(name_or_path)
    entry = CATALOG.get(text) if isinstance(name_or_path, str) else None
    if entry is None:
        if isinstance(name_or_path, str) and not _is_path(text):
            near = get_close_matches(text, CATALOG, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"workload {text!r} is not known; {hint}names: {', '.join(CATALOG)}; or give the path of a trace file")
        entry = Entry("A trace file", partial(Trace, name_or_path))
    for option in options:
        if option not in entry.options:
            raise InputError(f"workload {text}: option {option!r} does not exist; it has {', '.join(entry.options)}")
    scale = options.pop("scale", None)
    workload = entry.make(**options)
    return workload if scale is None else workload.scale(scale)


def _is_path(text: str) -> bool:
    """Whether a string is meant as a path."""
    return "/" in text or "\\" in text or text.lower().endswith(SUFFIXES) or os.path.exists(text)
