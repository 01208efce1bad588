"""Cost of generating requests, in nanoseconds for each, against a NumPy reference in the same run; and of reading trace files.

Run: ``python benchmarks/workload.py [requests]``. Both draw the O365 week's law: Poisson arrivals by the minute, sizes by inverse
distribution function, tiers, origins and preferences by share; the reference with whole-array NumPy calls, an hour at a time.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sageserve_env.workload import REQUEST_DTYPE, Intensity, IntensityWorkload, O365Week, Trace, load_workload, write_trace
from sageserve_env.workload.drawn.sizes import CELLS
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


def trace_files(folder: Path, rows: int) -> dict[str, Path]:
    """The same requests in files of several kinds."""
    world = load_world("published")
    week = O365Week()
    labelled, parquet = folder / "labelled.csv", folder / "labelled.parquet"
    for path in (labelled, parquet):
        write_trace(week.slice(0, week.duration_s * rows / 7.2e6), world, path)
    cells = [line.split(",") for line in labelled.read_text().splitlines()[1:]]
    plain, dates, lines, quoted = (folder / name for name in ("plain.csv", "dates.csv", "lines.jsonl", "quoted.csv"))
    plain.write_text("t_s,prompt_tokens,output_tokens\n" + "".join(f"{c[0]},{c[4]},{c[5]}\n" for c in cells))
    quoted.write_text("t_s,prompt_tokens,output_tokens\n" + "".join(f'"{c[0]}","{c[4]}","{c[5]}"\n' for c in cells))
    stamps = np.datetime64("2023-11-16") + np.array([float(c[0]) * 1e6 for c in cells]).astype("timedelta64[us]")
    dates.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"{s},{c[4]},{c[5]}\n" for s, c in zip(stamps, cells, strict=True))
    )
    objects = ({"timestamp": 1e3 * float(c[0]), "input_length": int(c[4]), "output_length": int(c[5])} for c in cells)
    lines.write_text("".join(json.dumps(row) + "\n" for row in objects))
    return {path.name: path for path in (plain, quoted, labelled, dates, lines, parquet)}


def reading_us(path: Path) -> float:
    """Microseconds of processor time for each row of one pass over a trace file, checks included; the best of ``REPEATS``."""
    best = np.inf
    for _ in range(REPEATS):
        path.touch()  # another file, so that the pass is made anew
        start = time.process_time()
        rows = Trace(path).scan().rows
        best = min(best, (time.process_time() - start) / rows * 1e6)
    return best


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
    with tempfile.TemporaryDirectory() as folder:
        for name, path in trace_files(Path(folder), limit // 10).items():
            print(f"{'reading ' + name:<36} {reading_us(path):7.2f} us/row")


if __name__ == "__main__":
    main()
