"""Where the traffic of a problem comes from."""

from sageserve_env.scenarios.sources.azure import AzureSource, azure_windows
from sageserve_env.scenarios.sources.curves import CurveSource, CurveWindow, Peaks, Traffic, curve_days, curve_week
from sageserve_env.scenarios.sources.given import GivenSource
from sageserve_env.scenarios.sources.o365 import O365Source
from sageserve_env.scenarios.sources.source import DAY_S, DAYS, WEEK_S, WHOLE_WEEK, Source, Window, weekdays

__all__ = [
    "DAYS",
    "DAY_S",
    "WEEK_S",
    "WHOLE_WEEK",
    "AzureSource",
    "CurveSource",
    "CurveWindow",
    "GivenSource",
    "O365Source",
    "Peaks",
    "Source",
    "Traffic",
    "Window",
    "azure_windows",
    "curve_days",
    "curve_week",
    "weekdays",
]
