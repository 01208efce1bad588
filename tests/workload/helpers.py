"""A small world, ways to play a stream out, and small traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sageserve_env.workload import REQUEST_DTYPE
from sageserve_env.world.schema import GIB, TIERS, Model, Pool, Profile, Region, Tier, TimeTable, VMType, World

MODELS = ("llama-2-70b", "bloom-176b", "llama-3.1-8b", "llama-3.2-3b")
REGIONS = ("westus", "centralus", "eastus")


def make_world(models=MODELS, regions=REGIONS) -> World:
    table = TimeTable((1.0, 2.0), (0.1, 0.2))
    return World(
        "tiny",
        tuple(Region(name, {"h100": 20}) for name in regions),
        tuple(tuple(0.01 for _ in regions) for _ in regions),
        (VMType("h100", 8, 80 * GIB, 98.32),),
        tuple(Model(name, 1e9, 1e5, {"h100": Profile(table, table)}) for name in models),
        tuple(Tier(name, 1.0) for name in TIERS),
        (Pool("unified", TIERS, dict.fromkeys(models, 8)),),
    )


def play(stream) -> np.ndarray:
    """Everything that a stream still gives."""
    chunks = []
    while (chunk := stream.next_chunk()).size:
        assert chunk.dtype == REQUEST_DTYPE
        chunks.append(chunk)
    assert stream.next_chunk().size == 0, "an ended stream stays ended"
    return np.concatenate(chunks) if chunks else np.empty(0, REQUEST_DTYPE)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal in every field, floats bit for bit."""
    return a.size == b.size and all(a[name].tobytes() == b[name].tobytes() for name in REQUEST_DTYPE.names)


def write_rows(path: Path, rows: list[str], header="arrival_s,model,region,tier,prompt_tokens,output_tokens") -> Path:
    """A CSV trace from its data rows."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def regular_trace(path: Path, n: int, every_s: float = 0.5) -> Path:
    """A trace of n requests at a steady rate over all models, regions and tiers."""
    rows = [f"{k * every_s},{MODELS[k % 4]},{REGIONS[k % 3]},{TIERS[(k // 2) % 3]},{10 + k % 90},{1 + k % 7}" for k in range(n)]
    return write_rows(path, rows)
