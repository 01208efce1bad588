"""Saved agents: what is written is what is loaded; what is torn, foreign or changed is one clear error and runs no code."""

import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from agents import load_agent
from agents.inference.mlp import Mlp
from agents.inference.saved import save_agent
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.evaluate import evaluate
from sageserve_env.evaluation.saved import CARD, WEIGHTS
from sageserve_env.scenarios import load_problem

ROOT = Path(__file__).resolve().parents[3]


def new_mlp(view=None, sizes=(5, 5, 5), is_sampled=False):
    rng = np.random.default_rng(0)
    shapes = [(8, 87), (sum(sizes), 8)]
    layers = [(rng.normal(size=shape).astype(np.float32), rng.normal(size=shape[0]).astype(np.float32)) for shape in shapes]
    return Mlp(layers, np.full(87, 0.1), np.full(87, 0.5), view or {}, "categorical", list(sizes), is_sampled=is_sampled)


@pytest.fixture
def folder(tmp_path):
    save_agent(tmp_path / "agent", new_mlp(), "mini", training={"seed": 3})
    return tmp_path / "agent"


def test_what_is_written_is_what_is_loaded(folder):
    agent, source = load_agent(folder), new_mlp()
    assert agent.settings() == source.settings()
    for name, array in source.arrays().items():
        np.testing.assert_array_equal(agent.arrays()[name], array)
        assert agent.arrays()[name].dtype == array.dtype
    assert json.loads((folder / CARD).read_text())["training"] == {"seed": 3}
    assert load_agent(folder, choose="sampled").is_sampled


def test_saving_twice_gives_the_same_bytes(folder, tmp_path):
    save_agent(tmp_path / "other", new_mlp(), "SageServe/Mini-v0", training={"seed": 3})
    assert [(tmp_path / "other" / name).read_bytes() for name in (CARD, WEIGHTS)] == [
        (folder / name).read_bytes() for name in (CARD, WEIGHTS)
    ]


def test_two_lines_of_python_play_it_without_torch(folder):
    program = f"""
import sys
sys.modules.update(dict.fromkeys(["torch", "stable_baselines3", "sb3_contrib", "pandas"]))
from agents import load_agent
agent = load_agent({str(folder)!r})
import numpy as np
agent.reset(0)
print(agent.act(np.zeros(87, np.float32), np.ones((3, 5), np.int8)).tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    agent = load_agent(folder)
    assert done.stdout.strip() == str(agent.act(np.zeros(87, np.float32), np.ones((3, 5), np.int8)).tolist())


def test_masks_are_kept_to(folder):
    agent = load_agent(folder, choose="sampled")
    agent.reset(0)
    mask = np.zeros((3, 5), np.int8)
    mask[:, 3] = 1
    assert [agent.act(np.zeros(87), mask).tolist() for _ in range(5)] == [[3, 3, 3]] * 5


def test_a_decision_is_a_choice_of_a_discrete_space(tmp_path):
    agent = new_mlp(view={"action_mode": "discrete"}, sizes=(13,))
    env = FleetEnv(problem="mini", horizon_s=600.0, **agent.VIEW)
    observation, info = env.reset(seed=0)
    env.step(agent.act(observation, info["action_mask"]))


def rewrite(folder, **changed):
    """The card with other entries."""
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | changed))


def rewrite_weights(folder, data, **arrays):
    """Other weights, with the card's digest brought in line."""
    (folder / WEIGHTS).write_bytes(data)
    rewrite(folder, weights={"sha256": sha256(data).hexdigest(), "arrays": arrays})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"format": 2}, "format = 2"),
        ({"kind": "os.system"}, "kind = 'os.system' is not known"),
        ({"kind": ["mlp"]}, r"kind = \['mlp'\] is not known"),
        ({"env": "SageServe/Mini-v9"}, "env = 'SageServe/Mini-v9' does not exist"),
        ({"problem_digest": "0"}, "was made for another SageServe/Mini-v0"),
        ({"settings": []}, "settings and weights are to be objects"),
        ({"settings": {"head": "categorical"}}, "setting 'activation' is missing"),
        ({"weights": {}}, "sha256 differs"),
    ],
)
def test_another_card_is_refused(folder, changed, named):
    rewrite(folder, **changed)
    with pytest.raises(InputError, match=named):
        load_agent(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view", {"reward": "money"}),
        ("view", 3),
        ("head", "gaussian"),
        ("head", []),
        ("sizes", [5, 5]),
        ("sizes", [5, 5, 5.0]),
        ("activation", "__import__"),
        ("activation", []),
        ("frames", 0),
        ("frames", True),
        ("clip", -1),
        ("is_sampled", 1),
        ("widths", [87, 15]),
        ("widths", [86, 8, 15]),
        ("widths", "87"),
    ],
)
def test_other_settings_are_refused(folder, name, value):
    settings = json.loads((folder / CARD).read_text())["settings"]
    rewrite(folder, settings=settings | {name: value})
    with pytest.raises(InputError):
        load_agent(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00"])
def test_a_torn_card_is_named(folder, text):
    (folder / CARD).write_text(text)
    with pytest.raises(InputError, match=r"card\.json' is no"):
        load_agent(folder)


def test_other_weights_are_refused(folder):
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1])
    with pytest.raises(InputError, match="sha256 differs"):
        load_agent(folder)
    for torn in (b"", data[:100], b"PK" + data):
        rewrite_weights(folder, torn)
        with pytest.raises(InputError, match=r"holds no plain arrays|holds other arrays"):
            load_agent(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_agent(folder)


def test_arrays_that_are_not_the_networks_are_refused(folder):
    arrays = new_mlp().arrays()
    for name, array, named in (
        ("mean", np.zeros(86), "have shape"),
        ("mean", np.full(87, np.nan), "not all finite"),
        ("mean", np.zeros(87, np.int64), "not all finite floats"),
        ("log_std", np.zeros(3), "belong to no part"),
    ):
        packed = io.BytesIO()
        changed = {**arrays, name: array}
        np.savez(packed, **changed)
        rewrite_weights(folder, packed.getvalue(), **{key: f"{value.dtype} {value.shape}" for key, value in changed.items()})
        with pytest.raises(InputError, match=named):
            load_agent(folder)


class Ran:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def test_code_in_weights_is_never_run(folder, tmp_path):
    mark = tmp_path / "mark"
    packed = io.BytesIO()
    np.savez(packed, mean=np.array([Ran(str(mark))], object))
    rewrite_weights(folder, packed.getvalue(), mean="object (1,)")
    with pytest.raises(InputError, match="holds no plain arrays"):
        load_agent(folder)
    rewrite_weights(folder, pickle.dumps(Ran(str(mark))))
    with pytest.raises(InputError, match="holds no plain arrays"):
        load_agent(folder)
    assert not mark.exists()


def test_weights_that_unpack_to_more_than_there_is_room_for_are_refused(folder, monkeypatch):
    monkeypatch.setattr("agents.inference.saved.LARGEST", 1 << 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mean.npy", bytes(1 << 21))
    rewrite_weights(folder, packed.getvalue())
    with pytest.raises(InputError, match="unpacks to more"):
        load_agent(folder)


def test_there_is_no_such_agent(tmp_path):
    with pytest.raises(InputError, match="is no folder with a card"):
        load_agent(tmp_path)
    with pytest.raises(InputError, match="is no folder with a card"):
        load_agent("agents/none")


def test_a_folder_is_evaluated_like_any_policy(folder, tmp_path):
    problem = load_problem("mini").with_overrides(horizon_s=900.0)
    entrant = Entrant.parse(f"{folder}", lambda words: {})
    result = evaluate(entrant, problem, episodes=1)
    assert result.rows[0].failure is None
    assert result.head["policy"]["kind"] == "agent"
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert Entrant.parse(str(moved), lambda words: {}).digest == entrant.digest
    rewrite(moved, scores={"usd": 3})
    assert Entrant.parse(str(moved), lambda words: {}).digest == entrant.digest
    rewrite(moved, settings={**new_mlp().settings(), "is_sampled": True})
    assert Entrant.parse(str(moved), lambda words: {}).digest != entrant.digest


def test_an_agent_is_evaluated_on_its_own_id_only(folder):
    with pytest.raises(InputError, match="was made for 'SageServe/Mini-v0', not for SageServe/Day-v0"):
        evaluate(Entrant.parse(str(folder), lambda words: {}), load_problem("day"), episodes=1)
    with pytest.raises(InputError, match="has no option 'seed'; it takes choose"):
        evaluate(Entrant.parse(f"{folder}:seed=3", lambda words: {"seed": 3}), load_problem("mini"), episodes=1)


def test_an_observation_of_another_shape_is_refused(folder):
    with pytest.raises(InputError, match=r"observation has shape \(90,\)"):
        load_agent(folder).act(np.zeros(90), None)
