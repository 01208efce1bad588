"""The simulator against measured silicon: every measured run of a fitted deployment, replayed as a closed loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sageserve_env.sim.closed_loop import serve_closed_loop
from sageserve_env.sim.state import BATCH_LIMIT
from sageserve_env.world.schema import TIERS, Model, Pool, Region, Routing, Serving, Tier, VMType, World
from sageserve_env.world.silicon import Fit, Group
from sageserve_env.world.silicon.fit import ROUNDS

BUDGET_TOKENS = 8192
"""Tokens of an iteration: the default of the engines measured, for GPUs of this size."""

SPREAD = 0.1
"""Lengths of prompts and answers are uniform within this share of their mean: without it all users stay in lockstep."""

MEMORY_BYTES = 2**31 - 1
"""At a byte for each token more than any run takes: what the replay tests is time."""

DENSE_MODELS = (
    "Qwen/Qwen3-32B",
    "meta-llama/Llama-3.1-70B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "nvidia/Llama-3.1-8B-Instruct-FP8",
)
"""The others are mixtures of experts, whose time for a batch depends on which experts its tokens choose."""

MOST_TPOT_ERROR, MOST_TTFT_ERROR = 0.05, 0.20
"""What the medians over the held-out runs of dense models may be."""


@dataclass(frozen=True)
class Replay:
    """A deployment's runs, measured and simulated.

    Attributes:
        fit: The iteration model.
        runs: The measured runs that were replayed.
        ttft_s: Simulated mean time to first token, shape (n,).
        tpot_s: Simulated mean time of each output token after the first, shape (n,).
    """

    fit: Fit
    runs: Group
    ttft_s: NDArray[np.float64]
    tpot_s: NDArray[np.float64]

    def errors(self, held_out: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Relative errors of TPOT and of TTFT, of the runs that the fit did not see or of those that it saw."""
        chosen = self.runs.held_out == held_out
        pairs = ((self.tpot_s, self.runs.tpot_s), (self.ttft_s, self.runs.ttft_s))
        tpot, ttft = (np.abs(ours / measured - 1)[chosen] for ours, measured in pairs)
        return tpot, ttft


def held_out_errors(replays: list[Replay], dense: bool) -> tuple[float, float]:
    """Median relative errors of TPOT and of TTFT over all held-out runs, of dense models or of the others.

    Not a number where there is no such run.
    """
    chosen = [replay for replay in replays if (replay.fit.deployment.model in DENSE_MODELS) == dense]
    if not chosen:
        return np.nan, np.nan
    tpot, ttft = (np.concatenate(errors) for errors in zip(*(replay.errors(held_out=True) for replay in chosen), strict=True))
    return float(np.median(tpot)), float(np.median(ttft))


def replay_all(groups: list[Group], fits: list[Fit]) -> Iterator[Replay]:
    """Replay the groups that have a fit, one after the other."""
    fit_of = {fit.deployment: fit for fit in fits}
    for group in groups:
        if group.deployment in fit_of:
            yield replay(group, fit_of[group.deployment])


def replay(group: Group, fit: Fit) -> Replay:
    """Replay the runs of a group, those with more users than a batch holds left out."""
    runs = group.part(group.users <= BATCH_LIMIT)
    world = replay_world(fit)
    settings = np.stack([runs.users, runs.prompt_tokens, runs.output_tokens], axis=1).astype(np.int64)
    means = np.array([replay_run(world, *setting) for setting in settings.tolist()]).reshape(-1, 2)
    return Replay(fit, runs, means[:, 0], means[:, 1])


def replay_world(fit: Fit) -> World:
    """One instance of the model, next to its users; ``frontend_s`` passes on the way to it."""
    vm_type = VMType("measured", gpus=1, gpu_memory_bytes=MEMORY_BYTES, price_usd_per_h=1.0)
    return World(
        name="silicon",
        regions=(Region("here", {vm_type.name: 1}),),
        latency_s=((0.0,),),
        vm_types=(vm_type,),
        models=(Model("model", weights_bytes=0.0, kv_bytes_per_token=1.0, profiles={vm_type.name: fit.profile}),),
        tiers=tuple(Tier(name, slo_s=3600.0) for name in TIERS),
        pools=(Pool("all", TIERS, {"model": 1}),),
        serving=Serving(max_batch=BATCH_LIMIT, prefill_budget_tokens=BUDGET_TOKENS),
        routing=Routing(delay_s=fit.frontend_s),
    )


def replay_run(world: World, users: int, prompt_tokens: int, output_tokens: int) -> tuple[float, float]:
    """Mean TTFT and TPOT of ``ROUNDS`` requests of each user, in seconds."""
    rng = np.random.default_rng((users, prompt_tokens, output_tokens))
    prompts, outputs = (around(rng, mean, users * ROUNDS) for mean in (prompt_tokens, output_tokens))
    log = serve_closed_loop(world, users, prompts, np.maximum(outputs, 2))
    ttft_s = log["first_token_s"] - log["arrival_s"]
    tpot_s = (log["completion_s"] - log["first_token_s"]) / (log["output_tokens"] - 1)
    return float(ttft_s.mean()), float(tpot_s.mean())


def around(rng: np.random.Generator, mean: int, size: int) -> NDArray[np.int64]:
    """Whole numbers, 1 or more, uniform around a mean."""
    width = int(SPREAD * mean)
    return rng.integers(mean - width, mean + width, size, endpoint=True)
