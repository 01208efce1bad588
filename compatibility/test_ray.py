"""``sageserve evaluate --engine ray``: what the local engine gives, also where a worker of the cluster is killed midway."""

import json

import pytest
import ray

from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate
from sageserve_env.scenarios import load_problem

EPISODES = 5

POLICY = """
import multiprocessing, os, signal, time
from pathlib import Path
import numpy as np

class Draws:
    def __init__(self, fatal=False):
        self.fatal = fatal

    def reset(self, seed):
        self.rng, self.steps = np.random.default_rng(seed), 0

    def act(self, observation, mask):
        self.steps += 1
        mark = Path(__file__).with_name("killed")
        if self.fatal and self.steps == 2 and not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)  # the worker of Ray that plays this episode
            time.sleep(60)
        with Path(__file__).with_name("decisions").open("a") as file:
            file.write(f"{self.fatal}\\n")
        return [self.rng.choice(np.flatnonzero(row)) for row in mask]
"""


@pytest.fixture(scope="module")
def problem():
    """Mini for three steps."""
    return load_problem("mini").with_overrides(horizon_s=900.0)


@pytest.fixture(scope="module")
def two_workers():
    """A cluster of two processes on this machine."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.py"
    path.write_text(POLICY)
    return path


def entrant(path, **options) -> Entrant:
    return Entrant(f"{path}:Draws", str(path), "Draws", options)


def without_times(path) -> dict:
    facts = json.loads(path.read_text())
    for row in facts["episodes"]:
        row["times"] = {}
    return facts


def test_a_cluster_gives_the_local_file(two_workers, problem, policy, tmp_path):
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    evaluate(entrant(policy), problem, episodes=EPISODES, out=here)
    evaluate(entrant(policy), problem, episodes=EPISODES, out=there, workers=2, engine="ray")
    assert without_times(there) == without_times(here)


def test_a_killed_worker_loses_no_episode_and_counts_none_twice(two_workers, problem, policy, tmp_path):
    here, there, seen = tmp_path / "here.json", tmp_path / "there.json", []
    evaluate(entrant(policy), problem, episodes=EPISODES, out=here)
    decisions = policy.with_name("decisions")
    assert len(decisions.read_text().splitlines()) == 3 * EPISODES
    decisions.unlink()

    def report(evaluation) -> None:
        seen.append([str(row.episode) for row in evaluation.rows])

    evaluate(entrant(policy, fatal=True), problem, episodes=EPISODES, out=there, workers=2, engine="ray", report=report)
    assert policy.with_name("killed").exists()
    assert len(decisions.read_text().splitlines()) == 3 * EPISODES + 1  # one decision was before the end of its worker
    assert [len(set(rows)) for rows in seen] == list(range(EPISODES + 1))
    mine, true = without_times(there), without_times(here)
    assert mine["episodes"] == true["episodes"]
    assert mine["summary"] == true["summary"]


def test_a_file_that_a_machine_has_not_is_named(two_workers, problem, policy, tmp_path, monkeypatch):
    import sageserve_env.evaluation.locked.play.seat as module

    monkeypatch.setattr(module, "dynamics_digest", lambda problem: "another")
    with pytest.raises(InputError, match="another dynamics_digest"):
        evaluate(entrant(policy), problem, episodes=1, engine="ray")


def test_it_begins_a_cluster_where_there_is_none(problem, policy, tmp_path):
    ray.shutdown()
    evaluation = evaluate(entrant(policy), problem, episodes=2, workers=2, engine="ray")
    assert [row.failure for row in evaluation.rows] == [None, None]
    assert not ray.is_initialized()
