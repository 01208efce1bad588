"""What traffic is made of has the same bits whatever loops NumPy and its linear algebra take on a processor."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sageserve_env.env import FleetEnv
from sageserve_env.portable import exp, log
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.request import REQUEST_DTYPE

PROBLEMS = ("mini", "azure", "paper", "scale2025", "globe")
"""One of each source."""

OTHER_PROCESSORS = {
    "without wide vectors": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
    },
    "an old linear algebra": {"OPENBLAS_CORETYPE": "Prescott"},
}


def traffic() -> str:
    """A digest of the rates and sizes of a training and of a test episode of each problem."""
    found = sha256()
    for name in PROBLEMS:
        for split, seed in (("train", 0), ("test", 1)):
            env = FleetEnv(problem=name, split=split)
            env.reset(seed=seed)
            for part in pieces(env):
                found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()


def pieces(env: FleetEnv) -> list[NDArray[Any]]:
    """The first requests of an episode, and the arrays that they are drawn from."""
    workload = env.episode.workload
    chunk = workload.stream(env.setup.world, 0).next_chunk()
    fields = [chunk[name] for name in REQUEST_DTYPE.names or ()]
    if not isinstance(workload, IntensityWorkload):
        return fields
    intensity = workload.folded(0)
    tables = [table for series in intensity.series for table in (series.prompt, series.output)]
    return [*fields, intensity.rate, intensity.edges, intensity.prompt_factor, intensity.shape, *tables]


@pytest.mark.parametrize("processor", OTHER_PROCESSORS)
def test_traffic_is_the_same_on_another_processor(processor: str) -> None:
    code = "from tests.test_portable import traffic; print(traffic())"
    there = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | OTHER_PROCESSORS[processor],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == traffic()


def test_functions_are_the_c_librarys_for_any_shape() -> None:
    values = np.random.default_rng(0).uniform(1e-3, 20.0, (3, 5, 7))
    np.testing.assert_allclose(exp(values), np.exp(values), rtol=1e-15)
    np.testing.assert_allclose(log(values), np.log(values), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(exp(np.repeat(values, 3, axis=2)), np.repeat(exp(values), 3, axis=2))
    assert exp(values[:, ::2]).shape == (3, 3, 7)
    assert exp(np.empty((0, 4))).shape == (0, 4)
