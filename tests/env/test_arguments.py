"""Bad arguments of the environments: one line that names thing, value and remedy, before any work, never another error."""

import math
import re
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.config import Config
from sageserve_env.env.rewards import Money
from sageserve_env.errors import InputError

SHORT = {"horizon_s": 900.0}

HUGE = 10**400
THINGS: list[Any] = [
    None, True, 0, -1, 1.5, "x", "", [], {}, (1,), b"x", object(), math.nan, math.inf, -math.inf, 1e300, 1e-300, 10**9, 10**30,
    HUGE, np.array([1, 2]), np.float32(2.0), np.int8(3), np.array("x"), lambda: None, [[1], [1, 2]], "\n", "ab" * 40,
]  # fmt: skip
"""What a program may hand over by mistake."""


def outcome(call: Any) -> str:
    """How a call ends: ``""`` where it works, or the InputError's line; any other error passes through."""
    try:
        call()
    except InputError as error:
        line = str(error).replace(str(HUGE), "HUGE")
        assert line
        assert "\n" not in line
        assert len(line) < 500
        return line
    return ""


@pytest.mark.parametrize("name", ["render_mode", *Config.__dataclass_fields__])
def test_any_argument_of_the_environment(name: str) -> None:
    for thing in THINGS:
        outcome(lambda thing=thing: FleetEnv(**{name: thing}))


@pytest.mark.parametrize("name", ["num_envs", "autoreset_mode", "max_episode_steps", "copy", "num_threads", "render_mode"])
def test_any_argument_of_the_vector(name: str) -> None:
    for thing in THINGS:
        outcome(lambda thing=thing: VectorFleetEnv(**{name: thing}))


def test_any_seed_and_any_option() -> None:
    env, envs = FleetEnv(**SHORT), VectorFleetEnv(2, **SHORT)
    options = ("day", "start_s", "scale", "initial_instances", "variant", "reset_mask", "colour")
    for thing in THINGS:
        for face in (env, envs):
            outcome(lambda face=face, thing=thing: face.reset(seed=thing))
            outcome(lambda face=face, thing=thing: face.reset(options=thing))
            for name in options:
                outcome(lambda face=face, thing=thing, name=name: face.reset(seed=0, options={name: thing}))
        outcome(lambda thing=thing: envs.reset(seed=[0, thing]))


def test_any_action() -> None:
    for mode in ("delta", "discrete", "target"):
        env, envs = FleetEnv(action_mode=mode, **SHORT), VectorFleetEnv(2, action_mode=mode, **SHORT)
        env.reset(seed=0)
        envs.reset(seed=0)
        start = env.snapshot()
        for thing in THINGS:
            for given in (thing, [thing] * 3, [[thing] * 3] * 2):
                outcome(lambda env=env, given=given: env.step(given))
                outcome(lambda envs=envs, given=given: envs.step(given))
                env.restore(start)
                envs.restore(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_delta": 10**9}, "max_delta = 1000000000 is out of range; give a whole number, 1 to 12"),
        ({"max_delta": True}, "max_delta = True is out of range"),
        ({"horizon_s": 1e300}, "horizon_s = 1e[+]300 is not valid; give seconds, more than 0, at most 31622400"),
        ({"horizon_s": math.inf}, "horizon_s = inf is not valid"),
        (
            {"control_interval_s": 1e-300},
            "control_interval_s = 1e-300 cuts 86400 s into more than 10,000,000 intervals; give at least",
        ),
        ({"horizon_s": 3e7, "control_interval_s": 0.001}, "control_interval_s = 0[.]001 cuts 3e[+]07 s into more than"),
        ({"max_in_flight": 1 << 40}, "max_in_flight = 1099511627776 is out of range; give a whole number, 1 to 1073741824"),
        ({"telemetry_delay": 10**9}, "telemetry_delay = 1000000000 is out of range; give a whole number, 0 to 288"),
        ({"telemetry_noise": 1e300}, "telemetry_noise = 1e[+]300; give a relative standard deviation from 0 to 100"),
        ({"reward": 5}, "reward = 5 is none; choose one of money, latency-first, constrained, vector or pass an object"),
        ({"reward": Money(breach_prices_usd=(1.0, math.nan, 1.0))}, r"breach_prices_usd = \(1.0, nan, 1.0\); give 3 prices >= 0"),
        ({"reward": Money(breach_prices_usd=(1.0, 1.0))}, "give 3 prices >= 0, one for each tier"),
        ({"problem": 3}, "problem = 3 is none; give the name of a problem, its id, or a Problem"),
    ],
)
def test_absurd_arguments_are_named(arguments: dict, message: str) -> None:
    for make in (FleetEnv, VectorFleetEnv):
        with pytest.raises(InputError, match=message):
            make(**arguments)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("horizon", "did you mean 'horizon_s'?"),
        ("render_modes", "did you mean 'render_mode'?"),
        ("xyz", "choose from render_mode, "),
    ],
)
def test_unknown_arguments_are_pythons_own_error_with_a_remedy(name: str, remedy: str) -> None:
    message = rf"^FleetEnv.__init__\(\) got an unexpected keyword argument {name!r}; {re.escape(remedy)}"
    for make in (FleetEnv, partial(gym.make, "SageServe/Mini-v0")):
        with pytest.raises(TypeError, match=message):
            make(**{name: 1})
    with pytest.raises(TypeError, match=rf"^VectorFleetEnv.__init__\(\) got an unexpected keyword argument {name!r}; "):
        gym.make_vec("SageServe/Mini-v0", num_envs=2, **{name: 1})


@pytest.mark.parametrize(("seed", "given"), [(-1, "-1"), (1.0, "1.0"), ("1", "'1'"), (True, "True")])
def test_bad_seeds_are_named(seed: Any, given: str) -> None:
    for reset in (FleetEnv(**SHORT).reset, VectorFleetEnv(2, **SHORT).reset):
        with pytest.raises(InputError, match=rf"reset\(seed={given}\): give a whole number >= 0"):
            reset(seed=seed)


def test_seeds_of_numpy_are_seeds() -> None:
    env = FleetEnv(**SHORT)
    first = env.reset(seed=5)[0]
    np.testing.assert_array_equal(env.reset(seed=np.int64(5))[0], first)
    envs = VectorFleetEnv(2, **SHORT)
    np.testing.assert_array_equal(envs.reset(seed=np.array([4, 5]))[0][1], first)
