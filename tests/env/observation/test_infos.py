"""What is told beside the observation: flat, the same keys at every instant, alone and in vectors as Gymnasium makes them."""

import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordVectorStatistics

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.actions import ACTION_MODES, MASKED_MODES
from sageserve_env.env.rewards import TERMS

ROOT = Path(__file__).resolve().parents[3]
KEY = re.compile(r"`(\w+)`")
ID = "SageServe/Mini-v0"
SHORT = {"horizon_s": 900.0}  # three steps
DRAWN = {"day", "start_s", "scale", "variant", "workload_seed"}


def sync(n: int, mode: AutoresetMode, **config: object) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: FleetEnv(**SHORT, **config)] * n, autoreset_mode=mode)


def assert_same(got: dict, expected: dict) -> None:
    """Two vectors' infos: keys, dtypes and values, at any depth."""
    assert set(got) == set(expected)
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(got[name], value)
        elif value.dtype == object:
            assert [one is None for one in got[name]] == [one is None for one in value]
            for one, other in zip(got[name], value, strict=True):
                np.testing.assert_equal(one, other)
        else:
            assert got[name].dtype == value.dtype, name
            np.testing.assert_array_equal(got[name], value)


@pytest.mark.parametrize("reward", ["money", "vector"])
@pytest.mark.parametrize("mode", ACTION_MODES)
def test_keys_and_types_are_the_same_at_every_instant(mode: str, reward: str) -> None:
    env = FleetEnv(action_mode=mode, reward=reward, **SHORT)
    infos = [env.reset(seed=0)[1], *(env.step(env.action_space.sample())[4] for _ in range(3)), env.reset()[1]]
    expected = {*TERMS, *DRAWN, "cost", "is_overfull"} | ({"action_mask"} if mode in MASKED_MODES else set())
    kinds = [{name: (type(value), np.shape(value)) for name, value in info.items()} for info in infos]
    assert all(kind == kinds[0] for kind in kinds)
    assert set(kinds[0]) == expected
    # NumPy's own, since TorchRL asks every entry for its dtype; no np.bool_, of which Gymnasium's vectors make arrays of objects.
    assert {kind for kind, _ in kinds[0].values()} <= {np.int64, np.float64, np.int8, np.ndarray}


def test_a_reset_owes_nothing_and_a_step_what_its_interval_cost() -> None:
    env = FleetEnv(horizon_s=14_400.0)
    info = env.reset(seed=0, options={"initial_instances": 2})[1]
    assert [info[name] for name in (*TERMS, "cost")] == [0.0] * (len(TERMS) + 1)
    costs = [env.step(np.zeros(3, int))[4]["cost"] for _ in range(48)]
    assert sum(costs) == env.telemetry().breached.sum() > 0
    assert env.reset()[1]["cost"] == 0.0


def test_the_documentation_lists_every_key() -> None:
    table = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8").partition("<!-- keys of the info -->")[2]
    rows = [line.split("|") for line in table.partition("<!-- end of keys -->")[0].splitlines() if line.startswith("| `")]
    kinds = {key: kind.strip() for row in rows for key, kind in zip(KEY.findall(row[1]), kinds_of(row), strict=True)}
    info = FleetEnv(**SHORT).reset(seed=0)[1]
    assert kinds == {key: "int8" if key == "action_mask" else type(value).__name__ for key, value in info.items()}


def kinds_of(row: list[str]) -> list[str]:
    """The type of each key of a row of the table."""
    n_keys, kinds = len(KEY.findall(row[1])), row[2].split(",")
    return kinds * n_keys if len(kinds) == 1 else kinds


def test_what_was_drawn_repeats_the_episode() -> None:
    env = FleetEnv(split="test", **SHORT)
    info = env.reset(seed=3)[1]
    words = env.episode_description
    assert words["day"] == env.setup.problem.split("test").windows[info["day"]].name
    assert (words["start_s"], words["scale"], words["variant"]) == (info["start_s"], info["scale"], info["variant"])
    other = FleetEnv(split="test", **SHORT)
    other.reset(seed=8, options={name: info[name] for name in ("day", "start_s", "scale", "variant")})
    assert other.episode_description == words
    assert FleetEnv(**SHORT).reset(seed=0)[1]["variant"] == -1


@pytest.mark.parametrize("config", [{}, {"action_mode": "discrete", "observation": "dict"}, {"action_mode": "target"}])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_infos_of_the_native_vector_are_gymnasiums(mode: AutoresetMode, config: dict) -> None:
    both = VectorFleetEnv(3, autoreset_mode=mode, **SHORT, **config), sync(3, mode, **config)
    assert_same(*(envs.reset(seed=4)[1] for envs in both))
    for _ in range(2):
        for _ in range(3 if mode is AutoresetMode.DISABLED else 4):
            actions = both[0].action_space.sample()
            assert_same(*(envs.step(actions)[4] for envs in both))
        for rows in ([True] * 3, [True, False, True]):
            assert_same(*(envs.reset(options={"reset_mask": np.array(rows)})[1] for envs in both))


def logged(infos: dict) -> list[tuple[float, int]]:
    """Returns and lengths of the episodes that ended, by the lines that CleanRL's scripts have."""
    if "episode" in infos:
        ended = infos["_episode"] if "_episode" in infos else np.array([True])
        returns, lengths = np.atleast_1d(infos["episode"]["r"]), np.atleast_1d(infos["episode"]["l"])
        return list(zip(returns[ended].tolist(), lengths[ended].tolist(), strict=True))
    if "final_info" in infos and "episode" in infos["final_info"]:
        final = infos["final_info"]
        return list(zip(*(final["episode"][name][infos["_final_info"]].tolist() for name in ("r", "l")), strict=True))
    return []


def logging_vector(kind: str, is_inside: bool, mode: AutoresetMode) -> gym.vector.VectorEnv:
    """Two environments with Gymnasium's statistics around the vector, or around each environment in it."""
    if kind == "vector_entry_point":
        return RecordVectorStatistics(gym.make_vec(ID, num_envs=2, vectorization_mode=kind, autoreset_mode=mode, **SHORT))
    more = {"vectorization_mode": kind, "vector_kwargs": {"autoreset_mode": mode}, **SHORT}
    if is_inside:
        return gym.make_vec(ID, num_envs=2, wrappers=[RecordEpisodeStatistics], **more)
    return RecordVectorStatistics(gym.make_vec(ID, num_envs=2, **more))


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(
    ("kind", "is_inside"),
    [("vector_entry_point", False), ("sync", False), ("sync", True), ("async", False), ("async", True)],
)
def test_cleanrls_lines_log_every_episode(kind: str, is_inside: bool, mode: AutoresetMode) -> None:
    single, expected = FleetEnv(**SHORT), []
    for seed in (6, 7):
        single.reset(seed=seed)
        expected.append(sum(single.step(np.full(3, 3))[1] for _ in range(3)))
    envs = logging_vector(kind, is_inside, mode)
    envs.reset(seed=6)
    found = []
    for _ in range(3):
        found += logged(envs.step(np.full((2, 3), 3))[4])
    envs.close()
    assert [length for _, length in found] == [3, 3]
    np.testing.assert_allclose([total for total, _ in found], expected, rtol=1e-6)


def test_cleanrls_lines_log_a_single_environment() -> None:
    env = RecordEpisodeStatistics(gym.make(ID, **SHORT))
    env.reset(seed=0)
    rewards, infos = [], {}
    for _ in range(3):
        _, reward, _, _, infos = env.step(np.full(3, 2))
        rewards.append(reward)
    assert logged(infos) == [(pytest.approx(sum(rewards)), 3)]
