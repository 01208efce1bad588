"""The request log as an Arrow table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.extras import need_arrow
from sageserve_env.world.schema import World

TIMES = ("arrival_s", "routed_s", "prefill_start_s", "first_token_s", "decode_start_s", "completion_s", "tpot_s")
NUMBERS = ("prompt_tokens", "output_tokens", "instance", "vm")


def request_table(log: NDArray[Any], world: World) -> Any:
    """The log as a ``pyarrow.Table``, names instead of indices; null where a time or a place did not happen.

    Columns: ``request`` (count of arrivals before it), ``model``, ``origin``, ``tier``, ``region`` and ``pool`` that served (each
    dictionary-encoded text), ``rejected``, the six times in seconds from the start of the workload, ``tpot_s``
    (seconds for each output token after the first; null for one token), ``prompt_tokens``,
    ``output_tokens``, ``instance`` (number within its endpoint, in order of creation) and ``vm``.

    Args:
        log: Rows of dtype ``sim.state.LOG``.
        world: The world that was simulated.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    pa, _ = need_arrow("a table of requests")
    names = {
        "model": [model.name for model in world.models],
        "origin": [region.name for region in world.regions],
        "tier": [tier.name for tier in world.tiers],
        "region": [region.name for region in world.regions],
        "pool": [pool.name for pool in world.pools],
    }
    columns = {"request": pa.array(log["request"])}
    columns |= {name: _named(pa, log[name], values) for name, values in names.items()}
    columns["rejected"] = pa.array(log["rejected"] != 0)
    columns |= {name: pa.array(log[name], mask=~np.isfinite(log[name])) for name in TIMES}
    columns |= {name: pa.array(log[name], mask=log[name] < 0) for name in NUMBERS}
    return pa.table(columns)


def _named(pa: Any, codes: NDArray[Any], names: list[str]) -> Any:
    """Integer codes as dictionary-encoded text; null where a code is negative."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), names)
