"""Behaviour cloning: what a reference wants, as actions, and a network that does it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from agents.single_file_ppo import Args, Eyes, Fleets, Network, train
from agents.warm_start import Shown, clone, show, wanted_change
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.sim import Knobs

torch.set_num_threads(1)  # with more, small networks on busy cores wait for each other

HOUR = {"horizon_s": 3600.0, "threads": 1, "width": 16, "num_envs": 2, "max_delta": 2, "choose": "likeliest"}


def test_what_knobs_want_is_a_move_into_their_bounds_and_a_ticks():
    env = FleetEnv(problem="mini", horizon_s=600.0)
    env.reset(seed=0)
    telemetry, knobs = env.telemetry(), Knobs.static(env.setup.world)
    assert (telemetry.active == 3).all()
    knobs.floor[:, 0], knobs.cap[:, 0] = (5, 0, 1), (9, 1, 8)
    telemetry = replace(telemetry, utilization=np.array([0.0, 0.0, 1.0]))
    assert wanted_change(telemetry, knobs)[:, 0].tolist() == [2, -2, 1]
    knobs.floor[:], knobs.cap[:] = 0, 9
    telemetry = replace(telemetry, utilization=np.array([0.0, 0.5, 1.0]))
    knobs.scale_out_utilization[:], knobs.scale_in_utilization[:] = 0.7, 0.3
    assert wanted_change(telemetry, knobs)[:, 0].tolist() == [-1, 0, 1]


def test_the_reference_is_followed_as_fast_as_actions_can():
    env, shown = FleetEnv(problem="mini", horizon_s=3600.0), Shown()
    show(env, load_policy("static", instances=7), 0, shown, None)
    assert [action.tolist() for action in shown.actions[:4]] == [[4] * 3, [4] * 3, [2] * 3, [2] * 3]
    assert (env.telemetry().active + env.telemetry().provisioning == 7).all()


def test_a_network_does_as_the_reference(tmp_path):
    torch.manual_seed(0)  # of its weights, whatever was tested before
    args = Args(**HOUR)
    batch = Fleets(args)
    network, eyes = Network(args, batch.places), Eyes(batch.places, "cpu")
    assert clone(network, eyes, args.config, "static:instances=6", 6, 0) > 0.97
    rows = train(replace(args, clone="static:instances=6", clone_episodes=4, value_first=2, rollout=6, steps=12, out=str(tmp_path)))
    assert rows[0]["steps"] == 0
    assert rows[0]["cloned"] > 0.9


def test_only_changes_can_be_cloned():
    args = Args(**HOUR | {"action_mode": "target"})
    with pytest.raises(InputError, match="needs action_mode = 'delta', not 'target'"):
        clone(None, None, args.config, "static", 2, 0)
    with pytest.raises(InputError, match="policy = 'nobody' is not known"):
        clone(None, None, Args(**HOUR).config, "nobody", 2, 0)
