"""Seconds to forecast the next hour for all 12 series (4 models x 3 regions) of the O365 week, with the order's choice and without.

Run: ``OMP_NUM_THREADS=1 python benchmarks/forecast.py``. The paper: 0.7 s for an ARIMA forecast.
"""

from __future__ import annotations

import time

from baselines.forecast import Arima, ExponentialSmoothing, SeasonalNaive, token_rates
from baselines.forecast.arima import choose_order
from sageserve_env.workload import O365Week
from sageserve_env.world import load_world

TARGET_S = 2.0


def main() -> None:
    """Print one line for each window length and forecaster."""
    for window_s in (900.0, 300.0):
        rates = token_rates(O365Week(), load_world("published"), 0, window_s)
        series = rates.reshape(-1, rates.shape[-1])
        per_hour = round(3600 / window_s)
        for forecaster in (SeasonalNaive(), ExponentialSmoothing(), Arima()):
            forecaster.forecast(series[:, : 10 * per_hour], window_s)  # imports
            choose_order.cache_clear()
            seconds = {}
            for hour in range(24, 168):
                start = time.perf_counter()
                forecaster.forecast(series[:, : hour * per_hour], window_s)
                seconds[hour] = time.perf_counter() - start
            # From hour 24 on, an order is chosen where a new day is complete.
            choosing = max(spent for hour, spent in seconds.items() if hour % 24 == 0)
            other = sorted(spent for hour, spent in seconds.items() if hour % 24)
            print(
                f"{window_s:4.0f} s windows, {forecaster.name:<22} median {other[len(other) // 2]:.3f} s, worst {other[-1]:.3f} s, "
                f"worst at midnight {choosing:.3f} s (target {TARGET_S} s)"
            )


if __name__ == "__main__":
    main()
