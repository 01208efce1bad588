"""Training: every algorithm learns what is known to be best, goes on after it was killed, and refuses what it did not write."""

import json
import os
import pickle
import shutil
import signal
from dataclasses import replace
from itertools import count
from multiprocessing import get_context

import numpy as np
import pytest

from sageserve_env.errors import InputError

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from agents.common.log import LOG, read_log
from agents.inference.saved import load_agent
from agents.training.algorithms import ALGORITHMS
from agents.training.checkpoint import MODEL, SEAL, checkpoints, digest_of
from agents.training.seeds import train_seeds
from agents.training.train import BEST, LAST, train
from sageserve_env.adapters.sb3 import SB3VecEnv
from tests.agents.helpers import BEST_USD, MODES, ON_POLICY, RANDOM_USD, tiny_plan

STEPS = {"ppo": 2500, "maskable-ppo": 2000, "recurrent-ppo": 1200, "sac": 500, "tqc": 500, "dqn": 1200}


class Killed(Exception):
    pass


def kill_at(steps):
    """A report that ends a training once it has taken so many steps."""

    def report(done, days_per_s):
        if done >= steps:
            raise Killed

    return report


@pytest.mark.parametrize("algo", STEPS)
def test_an_algorithm_learns_what_is_best(tmp_path, algo):
    curve = train(tiny_plan(tmp_path, algo, STEPS[algo]), tmp_path / "run")
    best, random = BEST_USD[MODES[algo][0]], RANDOM_USD[MODES[algo][0]]
    assert curve[0]["usd"] > best + 0.5 * (random - best)
    assert best - 0.01 <= curve[-1]["usd"] < best + 0.1 * (random - best)
    assert curve[-1]["feasible"] == curve[-1]["episodes"] == 1


@pytest.mark.parametrize("algo", ["maskable-ppo", "sac", "dqn"])
def test_a_run_that_was_killed_goes_on_from_its_last_update(tmp_path, algo):
    plan = tiny_plan(tmp_path, algo, 384)
    with pytest.raises(Killed):
        train(plan, tmp_path / "run", report=kill_at(192))
    (kept,) = checkpoints(tmp_path / "run")
    assert kept.name == "checkpoint-192"
    before = dict(np.load(kept / "seen.npz"))
    steps = []
    train(plan, tmp_path / "run", resume=True, report=lambda done, rate: steps.append(done))
    (last,) = checkpoints(tmp_path / "run")
    after = dict(np.load(last / "seen.npz"))
    assert steps[0] > 192
    assert (last.name, steps[-1]) == ("checkpoint-384", 384)
    assert before["seen.count"] < after["seen.count"]
    rows = read_log(tmp_path / "run" / LOG)
    assert [row["steps"] for row in rows] == sorted({row["steps"] for row in rows})
    assert {0, 192, 384} <= {row["steps"] for row in rows}
    assert rows[-1]["wall_s"] > rows[0]["wall_s"]


def die_within_a_rollout(folder):
    """Train, and be killed by the system at the fifth step after the second update."""
    step_wait, taken = SB3VecEnv.step_wait, count(1)

    def dying(envs):
        if next(taken) == 2 * ON_POLICY["n_steps"] + 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return step_wait(envs)

    SB3VecEnv.step_wait = dying
    train(tiny_plan(folder, "maskable-ppo", 384), folder / "run")


def test_a_process_killed_within_a_rollout_loses_that_rollout_and_nothing_else(tmp_path):
    child = get_context("spawn").Process(target=die_within_a_rollout, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    (kept,) = checkpoints(tmp_path / "run")
    assert kept.name == "checkpoint-192"
    before = read_log(tmp_path / "run" / LOG)
    steps = []
    train(tiny_plan(tmp_path, "maskable-ppo", 384), tmp_path / "run", resume=True, report=lambda done, rate: steps.append(done))
    assert steps == [288, 384]
    after = read_log(tmp_path / "run" / LOG)
    assert after[: len(before)] == before
    assert [row["steps"] for row in after] == sorted({row["steps"] for row in after})


def test_a_resumed_run_has_the_weights_and_the_buffer_of_its_checkpoint(tmp_path):
    from stable_baselines3 import DQN

    plan = tiny_plan(tmp_path, "dqn", 192)
    train(plan, tmp_path / "run")
    (kept,) = checkpoints(tmp_path / "run")
    model = DQN.load(kept / MODEL, device="cpu")
    model.load_replay_buffer(kept / "buffer.pkl")
    assert model.num_timesteps == 192
    assert model.replay_buffer.size() == 192 // 8


def test_the_same_seed_gives_the_same_weights(tmp_path):
    runs = [tiny_plan(tmp_path, "maskable-ppo", 192, seed=seed) for seed in (3, 3, 4)]
    for k, plan in enumerate(runs):
        train(plan, tmp_path / str(k))
    digests = [digest_of(tmp_path / str(k) / LAST / "weights.npz") for k in range(3)]
    assert digests[0] == digests[1] != digests[2]


def test_seeds_are_trained_side_by_side_and_gone_on_from(tmp_path):
    plan = tiny_plan(tmp_path, "maskable-ppo", 96)
    apart = train_seeds(plan, [1, 2], tmp_path / "apart", parallel=2)
    in_turn = train_seeds(plan, [1, 2], tmp_path / "in turn")
    assert apart == in_turn
    shutil.rmtree(tmp_path / "apart" / "seed-2")
    again = train_seeds(plan, [1, 2], tmp_path / "apart", resume=True)
    assert again == in_turn


def test_the_best_agent_holds_the_levels_first(tmp_path):
    """A rank, and what is kept by it."""
    from agents.common.scoring import rank_of

    told = [
        {"usd": 1.0, "shortfall": 0.2},
        {"usd": 9.0, "shortfall": 0.0},
        {"usd": 8.0, "shortfall": 0.0},
        {"usd": 2.0, "shortfall": 0.1},
    ]
    assert sorted(told, key=rank_of) == [told[2], told[1], told[3], told[0]]
    curve = train(tiny_plan(tmp_path, "maskable-ppo", 480, evaluate_every=96), tmp_path / "run")
    card = json.loads((tmp_path / "run" / BEST / "card.json").read_text())
    best = min(curve, key=rank_of)
    assert card["validation"] == {name: value for name, value in best.items() if name != "steps"}
    assert card["training"]["steps"] == best["steps"]
    assert card["training"]["settings"]["n_envs"] == 8
    assert card["curve"] == curve[: len(card["curve"])]


def test_saved_agents_act_by_what_was_drawn_and_stacked(tmp_path):
    plan = tiny_plan(tmp_path, "maskable-ppo", 96, initial_instances=[0, 5], frame_stack=2, centre_rewards=True, choose="sampled")
    train(plan, tmp_path / "run")
    agent = load_agent(tmp_path / "run" / LAST)
    assert (agent.frames, agent.is_sampled, agent.VIEW) == (2, True, {"action_mode": "delta"})


def test_episodes_begin_with_drawn_fleets():
    from agents.training.vector import DrawnStarts

    envs = DrawnStarts(3, 2, 4, 0, problem="mini", horizon_s=600.0)
    envs.seed(0)
    envs.reset()
    begun = [fleet.active.sum() for fleet in envs.env_method("telemetry")]
    for _ in range(2):
        observations, _, dones, infos = envs.step(np.full((3, 3), 2))
    assert dones.all()
    begun += [fleet.active.sum() for fleet in envs.env_method("telemetry")]
    assert {6, 9, 12} >= set(begun)
    assert len(set(begun)) > 1
    np.testing.assert_array_equal(observations[0], envs.envs.rows[0]._observer.observation(0))
    assert infos[0]["terminal_observation"].shape == observations[0].shape
    envs.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small training, and its plan."""
    folder = tmp_path_factory.mktemp("trained")
    plan = tiny_plan(folder, "maskable-ppo", 96)
    train(plan, folder / "run")
    return plan, folder / "run"


class Ran:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def test_a_foreign_checkpoint_is_refused_before_it_is_unpickled(trained, tmp_path):
    plan, run = trained
    shutil.copytree(run, tmp_path / "run")
    (kept,) = checkpoints(tmp_path / "run")
    mark = tmp_path / "mark"
    (kept / MODEL).write_bytes(pickle.dumps(Ran(str(mark))))
    with pytest.raises(InputError, match=r"model\.zip' is not the file that was written there"):
        train(replace(plan, steps=192), tmp_path / "run", resume=True)
    assert not mark.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": 1, "run": 3, "sha256": {}, "steps": 1, "spent": {}}'])
def test_a_torn_checkpoint_is_named(trained, tmp_path, text):
    plan, run = trained
    shutil.copytree(run, tmp_path / "run")
    (checkpoints(tmp_path / "run")[0] / SEAL).write_text(text)
    with pytest.raises(InputError, match="is no checkpoint"):
        train(replace(plan, steps=192), tmp_path / "run", resume=True)


def test_a_checkpoint_goes_on_with_its_own_training_only(trained, tmp_path):
    plan, run = trained
    for other, named in (
        (replace(plan, seed=5), "seed = 0, not 5"),
        (replace(plan, problem="day"), "problem = 'mini', not 'day'"),
        (replace(plan, settings=replace(plan.settings, n_envs=4)), "n_envs = 8, not 4"),
    ):
        with pytest.raises(InputError, match=named):
            train(replace(other, steps=192), run, resume=True)
    with pytest.raises(InputError, match="has been trained for 96"):
        train(plan, run, resume=True)
    with pytest.raises(InputError, match="holds a training already"):
        train(plan, run)
    with pytest.raises(InputError, match="cannot be read"):
        train(plan, tmp_path / "none", resume=True)
    with pytest.raises(InputError, match="has no checkpoint of these seeds"):
        train_seeds(plan, [0], tmp_path / "none", resume=True)


def test_every_algorithm_has_settings_for_every_problem():
    from agents.training.settings import settings_for
    from sageserve_env.registration import IDS

    for algo in ALGORITHMS:
        for problem in IDS:
            assert settings_for(algo, problem).view["action_mode"] in ALGORITHMS[algo].action_modes
