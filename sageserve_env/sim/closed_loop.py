"""A closed loop: users who each send a request, wait until it is done, and send the next at once, as serving benchmarks do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sageserve_env.compile import announce
from sageserve_env.sim import kernel
from sageserve_env.sim import state as st
from sageserve_env.sim.build import world_tables
from sageserve_env.sim.knobs import Knobs
from sageserve_env.sim.start import start_state
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world.checks import MOST_S, require, require_count
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import World

NO_LIMIT = 1 << 62


def serve_closed_loop(world: World, users: int, prompt_tokens: ArrayLike, output_tokens: ArrayLike) -> NDArray[np.void]:
    """Serve requests of the world's first model, region and tier: ``users`` of them at time zero, each other when one is done.

    The fleet stays as it starts.

    Args:
        world: What exists.
        users: Requests in the system until the last have been sent, 1 to the number of requests.
        prompt_tokens: Of each request in the order of sending, >= 1. Shape (n,).
        output_tokens: The same, the first token included, >= 1. Shape (n,).

    Returns:
        The requests in order of completion, shape (n,), dtype ``sim.state.LOG``.

    Raises:
        InputError: The world is not valid, an argument is out of range, or the requests take more than a year.
    """
    requests = _requests(prompt_tokens, output_tokens)
    require_count("users", users, 1, len(requests))
    announce("sim")
    tables = world_tables(validate(world))
    state = start_state(world, tables, Knobs.static(world), int(users))
    requests["arrival_s"][:users] = 0.0
    fresh = np.zeros(st.BATCH_LIMIT, st.LOG)  # so small that the kernel returns after each event that completes requests
    arguments = (*state.values(), *tables.values(), requests, fresh)
    clock, done = state["clock"], np.zeros(len(requests), st.LOG)
    sent, ended = int(users), 0
    while ended < len(requests):
        why = kernel.advance(MOST_S, True, NO_LIMIT, *arguments)
        require(why == kernel.LOG_FULL, "requests", len(requests), "take more than a year; give fewer or shorter ones")
        completed = int(clock["log_rows"][0])
        done[ended : ended + completed] = fresh[:completed]
        requests["arrival_s"][sent : sent + completed] = clock["now_s"][0]
        clock["log_rows"] = 0
        sent, ended = sent + completed, ended + completed
    return done


def _requests(prompt_tokens: ArrayLike, output_tokens: ArrayLike) -> NDArray[Any]:
    """Requests whose arrival is not known yet, shape (n,)."""
    prompts, outputs = np.asarray(prompt_tokens), np.asarray(output_tokens)
    shapes = f"of shape {outputs.shape} for prompt_tokens of shape {prompts.shape}"
    pair_up = prompts.ndim == 1 and prompts.shape == outputs.shape and len(prompts) > 0
    require(pair_up, "output_tokens", shapes, "do not pair up; give one of each for every request, at least one")
    requests = np.zeros(len(prompts), REQUEST_DTYPE)
    for name, tokens in (("prompt_tokens", prompts), ("output_tokens", outputs)):
        wrong = tokens[~((tokens >= 1) & (tokens < 1 << 31) & (tokens == np.floor(tokens)))]
        require(len(wrong) == 0, name, wrong[0] if len(wrong) else "", "is out of range; give whole numbers, 1 or more")
        requests[name] = tokens
    requests["arrival_s"] = np.inf
    return requests
