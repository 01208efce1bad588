"""Telemetry in random worlds, against the same worked out from the state one VM and one queue at a time."""

from dataclasses import fields

import numpy as np
import pytest

from sageserve_env.sim import Simulator
from sageserve_env.sim import state as st
from sageserve_env.sim.readout.telemetry import AXES, Telemetry
from tests.sim import helpers
from tests.sim.helpers import ArrayWorkload, random_rows, random_world

INSTANCES = {"active": st.ACTIVE, "provisioning": st.PROVISIONING, "draining": st.DRAINING}
STATES = {**INSTANCES, "spot": st.SPOT, "failed": st.FAILED}
LANE = ("waiting", "waiting_tokens", "running", "routed", "routed_tokens", "completed", "slo_met", "slo_unattainable")
ORIGIN = {"arrived": "arrived", "arrived_tokens": "prompt_tokens", "rejected": "rejected", "retried": "retried"}


@pytest.fixture(params=range(12))
def sim(request: pytest.FixtureRequest) -> Simulator:
    """A random world in the midst of its traffic."""
    rng = np.random.default_rng(request.param)
    world = random_world(rng)
    sim = Simulator(world, ArrayWorkload(random_rows(rng, world)))
    helpers.play(sim, rng, until_s=float(rng.uniform(2.0, 40.0)))
    return sim


def test_every_field_has_axes() -> None:
    assert {each.name for each in fields(Telemetry)} == set(AXES)


def test_vm_seconds_are_those_booked_and_those_under_way(sim: Simulator) -> None:
    seen, state, n_types = sim.telemetry(), sim._state, len(sim.world.vm_types)
    for name, wanted in STATES.items():
        is_region = name not in INSTANCES
        booked = state["spot" if is_region else "fleet"][f"{name}_s"].reshape(-1, n_types).copy()
        for vm in state["instance"]:
            if vm["state"] == wanted:
                booked[vm["region" if is_region else "endpoint"], vm["vm_type"]] += sim.now_s - vm["state_since_s"]
        np.testing.assert_allclose(getattr(seen, f"{name}_s"), booked, rtol=1e-12, atol=1e-9)


def test_instances_are_counted_by_their_states(sim: Simulator) -> None:
    seen, state = sim.telemetry(), sim._state
    for name, wanted in INSTANCES.items():
        counts = np.zeros_like(seen.active)
        for vm in state["instance"]:
            if vm["state"] == wanted:
                counts[vm["endpoint"], vm["vm_type"]] += 1
        assert np.array_equal(getattr(seen, name), counts)
    spot, own = np.zeros_like(seen.spot), np.zeros_like(seen.spot_same_model)
    for vm in state["instance"]:
        if vm["state"] == st.SPOT:
            spot[vm["region"], vm["vm_type"]] += 1
            own[(seen.region == vm["region"]) & (seen.model == vm["model"]), vm["vm_type"]] += 1
    assert np.array_equal(seen.spot, spot)
    assert np.array_equal(seen.spot_same_model, own)


def test_requests_are_those_of_lanes_and_origins(sim: Simulator) -> None:
    seen, state = sim.telemetry(), sim._state
    for name in LANE:
        assert np.array_equal(getattr(seen, name).ravel(), state["lane"][name])
    for name, field in ORIGIN.items():
        assert np.array_equal(getattr(seen, name).ravel(), state["origin"][field])
    heads = state["central"]["head"].reshape(seen.arrived.shape)[:, :, st.NIW]
    for place in np.ndindex(heads.shape):
        age_s = 0.0 if heads[place] == st.NONE else sim.now_s - state["flight"]["arrival_s"][heads[place]]
        assert seen.oldest_queued_s[place] == age_s
        assert (seen.queued[place] > 0) == (heads[place] != st.NONE)


def test_utilization_is_memory_in_use_and_one_where_nobody_serves(sim: Simulator) -> None:
    seen, endpoint = sim.telemetry(), sim._state["endpoint"]
    for n, ep in enumerate(endpoint):
        expected = ep["kv_used"] * ep["kv_token_bytes"] / ep["kv_bytes"] if seen.active[n].sum() else 1.0
        assert seen.utilization[n] == pytest.approx(expected, rel=1e-12)
    assert (seen.region.tolist(), seen.model.tolist()) == (endpoint["region"].tolist(), endpoint["model"].tolist())


def test_it_is_a_copy(sim: Simulator) -> None:
    before = sim.telemetry()
    kept = {name: np.copy(value) for name, value in vars(before).items()}
    sim.advance(sim.now_s + 20.0)
    assert all(np.array_equal(getattr(before, name), value) for name, value in kept.items())
    assert sim.telemetry().now_s == before.now_s + 20.0
