"""Replays of measured runs through the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.evaluation.silicon.figure import plot_replays
from sageserve_env.evaluation.silicon.replay import held_out_errors, replay, replay_all
from sageserve_env.world.silicon import read_fits, read_groups

LABEL = "Llama-3.1-70B h100_sxm vllm fp8 TP4 MoE TP4"


@pytest.fixture(scope="module")
def measured():
    """A deployment's runs and fit."""
    (group,) = (group for group in read_groups() if group.deployment.label == LABEL)
    (fit,) = (fit for fit in read_fits() if fit.deployment.label == LABEL)
    return group, fit


@pytest.fixture(scope="module")
def replayed(measured):
    return replay(*measured)


def test_a_replay_is_near_what_was_measured(replayed):
    for held_out in (False, True):
        tpot, ttft = replayed.errors(held_out)
        assert np.median(tpot) < 0.05
        assert np.median(ttft) < 0.20


def test_errors_are_of_the_runs_that_they_say(replayed):
    tpot, ttft = replayed.errors(held_out=True)
    assert len(tpot) == len(ttft) == replayed.runs.held_out.sum() == 4
    exact = replace(replayed, tpot_s=replayed.runs.tpot_s, ttft_s=1.1 * replayed.runs.ttft_s)
    assert exact.errors(held_out=True)[0].tolist() == [0.0] * 4
    np.testing.assert_allclose(exact.errors(held_out=False)[1], 0.1)
    assert held_out_errors([exact], dense=True) == (0.0, pytest.approx(0.1))
    assert np.isnan(held_out_errors([exact], dense=False)).all()


def test_slower_iterations_give_slower_replays(measured, replayed):
    group, fit = measured
    slow = replay(group.part(group.users == 4), replace(fit, base_s=2 * fit.base_s))
    assert (slow.tpot_s > 1.5 * replayed.tpot_s[replayed.runs.users == 4]).all()


def test_runs_with_more_users_than_a_batch_are_left_out(measured):
    group, fit = measured
    crowd = replace(group.part(group.users == 4), users=np.full(3, 513.0))
    assert len(replay(crowd, fit).runs) == 0


def test_groups_without_a_fit_are_left_out(measured):
    assert list(replay_all([measured[0]], [])) == []


def test_figure(replayed, tmp_path):
    assert plot_replays([replayed], tmp_path / "silicon.svg").stat().st_size > 10_000
