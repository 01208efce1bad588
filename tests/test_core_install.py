"""The light core: what works without any extra, in processes in which the extras' packages cannot be imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

EXTRAS = (
    "cma",
    "h5py",
    "highspy",
    "jinja2",
    "matplotlib",
    "minari",
    "mo_gymnasium",
    "pandas",
    "pettingzoo",
    "pulp",
    "pyarrow",
    "ray",
    "sb3_contrib",
    "scipy",
    "stable_baselines3",
    "statsmodels",
    "torch",
)

ENVIRONMENTS = """
import gymnasium as gym
from gymnasium.utils.env_checker import check_env
import sageserve_env
from sageserve_env.registration import IDS

for problem in IDS.values():
    env = gym.make(problem)
    env.reset(seed=0)
    for _ in range(2):
        env.step(env.action_space.sample())
check_env(gym.make("SageServe/Mini-v0").unwrapped, skip_render_check=True)

from agents import load_agent

agent = load_agent("mini-shared")
env = gym.make("SageServe/Mini-v0", **agent.VIEW)
agent.reset(0)
env.step(agent.act(env.reset(seed=0)[0], None))
"""

TRACES = """
from sageserve_env.workload import Trace, load_workload, write_trace
from sageserve_env.world import load_world

world = load_world("published")
rows = write_trace(load_workload("o365-hour", scale=0.01), world, folder / "t.csv")
assert len(Trace(folder / "t.csv").stream(world, 0).next_chunk()) == rows > 500
(folder / "t.jsonl").write_text('{"timestamp": 0, "input_length": 3, "output_length": 4}')
assert Trace(folder / "t.jsonl").duration_s == 1
assert load_workload("servegen-m-large").stream(world, 0).next_chunk().size
"""

REFUSALS = """
import pytest
from gymnasium.error import DependencyNotInstalled
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.workload import Trace, load_workload, write_trace
from sageserve_env.world import load_world

(folder / "t.parquet").write_bytes(b"PAR1 and more")
(folder / "t.csv.zst").write_bytes(bytes.fromhex("28b52ffd") + b"more")
calls = {
    "data": [
        lambda: Trace(folder / "t.parquet"),
        lambda: Trace(folder / "t.csv.zst"),
        lambda: write_trace(load_workload("o365-hour"), load_world("published"), folder / "u.parquet"),
    ],
    "solver": [lambda: load_policy("lt-ua"), lambda: __import__("baselines.program")],
}
for extra, those in calls.items():
    for call in those:
        with pytest.raises(DependencyNotInstalled) as error:
            call()
        assert f"pip install 'sageserve-env[{extra}]', or in a checkout: pip install '.[{extra}]'" in str(error.value)

from sageserve_env.cli import main
sys.argv = ["sageserve", "simulate", "o365-hour", "--hours", "0.01", "--out", str(folder / "run")]
with pytest.raises(SystemExit, match="2"):
    main()
assert not (folder / "run").exists()
"""

TRAINING = """
from stable_baselines3 import PPO
from sageserve_env.adapters.sb3 import make_sb3_env

PPO("MlpPolicy", make_sb3_env("SageServe/Mini-v0", n_envs=2, horizon_s=3600.0), n_steps=8, batch_size=16, device="cpu").learn(16)
"""


def run_without(packages, code, folder):
    """Run code in a process of its own in which these packages cannot be imported."""
    head = f"import pathlib, sys\nfolder = pathlib.Path({str(folder)!r})\nsys.modules.update(dict.fromkeys({packages!r}))\n"
    done = subprocess.run([sys.executable, "-W", "error", "-c", head + code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_environments_and_traces_need_no_extra(tmp_path):
    run_without(EXTRAS, ENVIRONMENTS + TRACES, tmp_path)


def test_what_needs_an_extra_names_it_before_anything_runs(tmp_path):
    done = run_without(EXTRAS, REFUSALS, tmp_path)
    assert done.stderr.splitlines()[-1].startswith("error: --out = ")
    assert "needs pyarrow" in done.stderr


def test_training_needs_neither_pyarrow_nor_pulp(tmp_path):
    run_without(("pyarrow", "pulp", "highspy"), TRAINING, tmp_path)
