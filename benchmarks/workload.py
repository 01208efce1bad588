"""Cost of generating requests, in nanoseconds for each, against a NumPy reference in the same run.

Run: ``python benchmarks/workload.py [requests]``. Both draw the O365 week's law: Poisson arrivals by the minute, sizes by inverse
distribution function, tiers, origins and preferences by share; the reference with whole-array NumPy calls, an hour at a time.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from sageserve_env.workload import REQUEST_DTYPE, Intensity, IntensityWorkload, O365Week, load_workload
from sageserve_env.workload.sizes import CELLS
from sageserve_env.world import load_world

REPEATS = 5


def numpy_hour(intensity: Intensity, first_bin: int, rng: np.random.Generator) -> np.ndarray:
    """One hour of requests (60 one-minute bins), drawn with NumPy's Generator."""
    parts = []
    for s, series in enumerate(intensity.series):
        counts = rng.poisson(intensity.rate[s, first_bin : first_bin + 60] * 60.0)
        n = int(counts.sum())
        part = np.zeros(n, REQUEST_DTYPE)
        part["arrival_s"] = np.repeat(intensity.edges[first_bin : first_bin + 60], counts) + 60.0 * rng.random(n)
        grid = np.linspace(0, 1, CELLS + 1)
        factor = np.repeat(intensity.prompt_factor[s, first_bin : first_bin + 60], counts)
        part["prompt_tokens"] = np.maximum(1, np.interp(rng.random(n), grid, series.prompt) * factor + 0.5)
        part["output_tokens"] = np.maximum(1, np.interp(rng.random(n), grid, series.output) + 0.5)
        part["model"] = s // 2
        part["tier"] = rng.choice(3, n, p=np.asarray(series.tiers) / sum(series.tiers))
        part["origin"] = rng.choice(3, n, p=list((series.regions or {}).values()))
        part["preference"] = rng.integers(0, 2, n)
        parts.append(part)
    hour = np.concatenate(parts)
    return hour[np.argsort(hour["arrival_s"], kind="stable")]


def reference_ns(limit: int) -> float:
    """Nanoseconds for each request of the NumPy reference."""
    intensity = O365Week(scale=10).folded(0)
    rng = np.random.default_rng(0)
    done, hour, start = 0, 0, time.perf_counter()
    while done < limit:
        done += numpy_hour(intensity, 60 * (hour % 168), rng).size
        hour += 1
    return (time.perf_counter() - start) / done * 1e9


def stream_ns(workload: IntensityWorkload, limit: int) -> float:
    """Nanoseconds for each request of a workload's stream, chunks allocated as in use; the best of ``REPEATS``."""
    world = load_world("published")
    best = np.inf
    for seed in range(REPEATS):
        stream = workload.stream(world, seed)
        stream.next_chunk()
        done, start = 0, time.perf_counter()
        while done < limit and (size := stream.next_chunk().size):
            done += size
        best = min(best, (time.perf_counter() - start) / max(done, 1) * 1e9)
    return best


def snapshot_ns() -> float:
    """Nanoseconds for one snapshot of the O365 week's stream."""
    stream = O365Week().stream(load_world("published"), 0)
    start = time.perf_counter()
    for _ in range(100_000):
        stream.snapshot()
    return (time.perf_counter() - start) / 100_000 * 1e9


def main() -> None:
    """Print one line for each measurement."""
    limit = int(float(sys.argv[1])) if len(sys.argv) > 1 else 3_000_000
    cases = {
        "o365 week x1, Poisson": O365Week(),
        "o365 week x100, Poisson": O365Week(scale=100),
        "o365 week x10, Gamma cv 2": O365Week(scale=10, cv=2),
        "azure2024 conversation, Poisson": load_workload("azure2024-conv-week"),
        "servegen m-large (162 clients)": load_workload("servegen-m-large", scale=10),
    }
    for name, workload in cases.items():
        assert isinstance(workload, IntensityWorkload)
        print(f"{name:<36} {stream_ns(workload, limit):7.1f} ns/request")
    print(f"{'NumPy reference, o365 week x10':<36} {reference_ns(limit):7.1f} ns/request")
    print(f"{'snapshot':<36} {snapshot_ns():7.1f} ns")


if __name__ == "__main__":
    main()
