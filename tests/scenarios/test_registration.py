"""Ids are registered by importing the package, once, with arguments that travel."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from sageserve_env.errors import InputError
from sageserve_env.registration import IDS, MO_IDS, problem_name, register
from sageserve_env.scenarios import PROBLEMS, load_problem

ROOT = Path(__file__).resolve().parents[2]


def test_every_problem_has_an_id_and_no_id_is_without():
    assert list(IDS) == list(PROBLEMS)
    for name, env_id in IDS.items():
        assert (load_problem(name).name, load_problem(name).id, load_problem(name).version) == (name, env_id, 0)


def test_registering_again_changes_nothing():
    before = {env_id: gym.registry[env_id] for env_id in (*IDS.values(), *MO_IDS.values())}
    register()
    assert all(gym.registry[env_id] is spec for env_id, spec in before.items())


@pytest.mark.parametrize("form", ["{name}", "{id}", "sageserve_env:{id}", "sageserve_env:{name}", "{unversioned}"])
@pytest.mark.parametrize("name", IDS)
def test_a_problem_has_one_name_in_every_form_of_its_id(name, form):
    env_id = IDS[name]
    written = form.format(name=name, id=env_id, unversioned=env_id.removesuffix("-v0"))
    assert problem_name(written) == name
    assert load_problem(written) is load_problem(name)


@pytest.mark.parametrize(
    "name", ["", "Mini", "SageServe/Mini-v1", "other:SageServe/Mini-v0", "SageServe/Mini-MO-v0", "CartPole-v1"]
)
def test_an_unknown_problem_is_named_with_the_known_ones(name):
    with pytest.raises(InputError, match=r"problem = '.*' does not exist; choose one of mini, day, .* or an id such as"):
        load_problem(name)


@pytest.mark.parametrize("name", IDS)
def test_a_spec_travels_as_json_and_as_a_pickle(name):
    spec = gym.spec(IDS[name])
    assert spec.kwargs == {"problem": name}
    assert spec.order_enforce
    assert not spec.disable_env_checker
    assert json.loads(json.dumps(spec.kwargs)) == spec.kwargs
    assert gym.envs.registration.EnvSpec.from_json(spec.to_json()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("code", ["import sageserve_env", "gym.envs.registration._find_spec('sageserve_env:SageServe/Mini-v0')"])
def test_ids_are_there_in_a_fresh_process(code):
    program = f"import gymnasium as gym; {code}; print(sum(name.startswith('SageServe/') for name in gym.registry))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(len(IDS) + len(MO_IDS))
