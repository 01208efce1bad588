"""Users who each wait for their answer before they send the next request."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.sim.closed_loop import serve_closed_loop
from sageserve_env.world import GIB, TIERS, IterationModel, Model, Pool, Region, Serving, Tier, VMType, World

BASE_S, SEQUENCE_S, CONTEXT_S, PREFILL_S = 0.010, 1e-4, 1e-7, 1e-5


def world(budget=None):
    """One instance whose iteration times are known, next to its users."""
    times = IterationModel(BASE_S, SEQUENCE_S, CONTEXT_S, PREFILL_S, 0.0, "made up")
    return World(
        name="one",
        regions=(Region("here", {"vm": 1}),),
        latency_s=((0.0,),),
        vm_types=(VMType("vm", gpus=1, gpu_memory_bytes=80 * GIB, price_usd_per_h=1.0),),
        models=(Model("model", 1e9, 1e5, {"vm": times}),),
        tiers=tuple(Tier(name, slo_s=3600.0) for name in TIERS),
        pools=(Pool("all", TIERS, {"model": 1}),),
        serving=Serving(prefill_budget_tokens=budget),
    )


def test_a_lone_user_sends_one_request_after_the_other():
    prompts, outputs = np.array([100, 500, 30]), np.array([5, 2, 40])
    log = serve_closed_loop(world(), 1, prompts, outputs)
    assert log["prompt_tokens"].tolist() == prompts.tolist()
    assert log["arrival_s"].tolist() == [0.0, *log["completion_s"][:-1].tolist()]
    np.testing.assert_allclose(log["first_token_s"] - log["arrival_s"], BASE_S + PREFILL_S * prompts, atol=1e-9)
    steps = outputs - 1
    decode_s = steps * (BASE_S + SEQUENCE_S) + CONTEXT_S * (steps * prompts + steps * (steps + 1) / 2)
    np.testing.assert_allclose(log["completion_s"] - log["first_token_s"], decode_s, atol=1e-9)


def test_as_many_are_in_the_system_as_there_are_users():
    rng = np.random.default_rng(0)
    log = serve_closed_loop(world(budget=1024), 7, rng.integers(1, 3000, 70), rng.integers(1, 60, 70))
    assert len(log) == 70
    assert sorted(log["request"].tolist()) == list(range(70))
    for at in log["arrival_s"][log["arrival_s"] < log["arrival_s"].max()]:
        assert ((log["arrival_s"] <= at) & (log["completion_s"] > at)).sum() == 7
    starts, ends = np.sort(log["arrival_s"])[7:], np.sort(log["completion_s"])
    assert starts.tolist() == ends[: len(starts)].tolist()


def test_the_same_again_is_the_same_bit_for_bit():
    prompts, outputs = np.full(40, 900), np.arange(1, 41)
    first, again = (serve_closed_loop(world(budget=2048), 4, prompts, outputs) for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("users", "prompts", "outputs", "text"),
    [
        (0, [1], [1], "users = 0"),
        (2, [1], [1], "users = 2"),
        (1, [0], [1], "prompt_tokens = "),
        (1, [1], [1.5], "output_tokens = "),
        (1, [1, 2], [1], "output_tokens = "),
        (1, [], [], "output_tokens = of shape"),
        (1, [10**5] * 4000, [4 * 10**5] * 4000, "take more than a year"),
    ],
)
def test_bad_arguments(users, prompts, outputs, text):
    with pytest.raises(InputError, match=text):
        serve_closed_loop(world(), users, prompts, outputs)
