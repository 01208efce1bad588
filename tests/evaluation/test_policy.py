from importlib.metadata import EntryPoint

import pytest

from baselines import ReactivePolicy, StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation import policy as module
from sageserve_env.evaluation.policy import installed_policies, load_policy, policy_name, policy_options


class Anonymous:
    def reset(self, scenario, rng):
        pass

    def decide(self, telemetry):
        raise NotImplementedError


def test_the_baselines_are_installed():
    assert {"static", "reactive"} <= set(installed_policies())
    assert isinstance(load_policy("reactive"), ReactivePolicy)
    assert load_policy("static", instances=3) == StaticPolicy(instances=3)


def test_an_unknown_policy_lists_the_known_and_suggests_the_nearest():
    with pytest.raises(InputError, match=r"policy = 'reactiv' is not known \(did you mean 'reactive'\?\); known: .*static"):
        load_policy("reactiv")


def test_an_unknown_option_lists_the_known():
    with pytest.raises(InputError, match=r"policy = 'static': .*'size'; it takes: instances, admission_order"):
        load_policy("static", size=3)


def test_a_missing_package_is_named(monkeypatch):
    entry = EntryPoint("absent", "a_package_that_is_not_there:Policy", module.GROUP)
    monkeypatch.setattr(module, "installed_policies", lambda: {"absent": entry})
    with pytest.raises(InputError, match=r"policy = 'absent' cannot be loaded .*a_package_that_is_not_there"):
        load_policy("absent")


def test_names_and_options_are_for_the_record():
    assert policy_name(StaticPolicy()) == "static"
    assert policy_options(StaticPolicy(4)) == {"instances": 4, "admission_order": "FCFS"}
    assert policy_name(Anonymous()) == "Anonymous"
    assert policy_options(Anonymous()) == {}
