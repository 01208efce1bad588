"""The true future: no forecast, but the bound on what any forecast is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from baselines.forecast.base import HOUR_S, Forecast, Reals, checked_history, windows_in
from sageserve_env.errors import InputError


@dataclass(frozen=True)
class Oracle:
    """Looks the coming hour up. The only forecaster that sees the future.

    Attributes:
        truth: Input tokens/s over the whole workload, shape (S, W); beyond its end nothing arrives.
        window_s: Length of its windows in seconds.
        lead_windows: Windows of history that come before the truth begins.
    """

    name: ClassVar[str] = "oracle"

    truth: Reals
    window_s: float
    lead_windows: int = 0

    def __post_init__(self) -> None:
        """Check."""
        object.__setattr__(self, "truth", checked_history(self.truth, self.window_s))

    def forecast(self, history: ArrayLike, window_s: float) -> Forecast:
        """The truth after the history's last window; see :class:`baselines.forecast.base.Forecaster`."""
        past = checked_history(history, window_s)
        if window_s != self.window_s or past.shape[0] != self.truth.shape[0]:
            known = f"{len(self.truth)} of {self.window_s} s"
            raise InputError(f"history has {past.shape[0]} series of {window_s} s windows; the oracle knows {known}")
        start = past.shape[1] - self.lead_windows
        if start < 0:
            raise InputError(f"history has {past.shape[1]} windows; the oracle's truth begins after {self.lead_windows}")
        hour = np.zeros((past.shape[0], windows_in(HOUR_S, window_s)))
        future = self.truth[:, start : start + hour.shape[1]]
        hour[:, : future.shape[1]] = future
        return Forecast(hour, hour, hour, 1.0, window_s, ("truth",) * past.shape[0])
