"""Levels of noise after a fork: they go on from where they are, by the law that they had."""

import numpy as np
import pytest

from sageserve_env.workload import REQUEST_DTYPE
from sageserve_env.workload.drawn import kernel
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.redrawn import Fork, noise_change, redrawn
from sageserve_env.workload.drawn.sizes import size_table
from sageserve_env.world import published

HOUR_S = 3600.0
SIGMA = 0.4
STEP_S = HOUR_S / 8
MODELS = ("bloom-176b", "llama-2-70b")


def flat(hours=24, rate=0.2):
    sizes = size_table([0.5], [100]), size_table([0.5], [10])
    series = tuple(Series(model, (1, 0, 1), None, *sizes) for model in MODELS)
    edges = HOUR_S * np.arange(hours + 1)
    return IntensityWorkload("flat", Intensity.renewal(series, edges, np.full((2, hours), rate), cv=1.0))


def levels(workload, forks, number=0, seed=9):
    """Logarithm of the rates by bin under forks, for each series."""
    folded = workload.folded(seed)
    with np.errstate(divide="ignore"):
        return folded.edges, np.log(folded.rate * noise_change(workload, number, seed, forks)), np.log(folded.rate)


@pytest.mark.parametrize("noise_seed", [None, 5])
def test_the_past_and_the_level_of_now_stay(noise_seed):
    edges, forked, own = levels(flat().noise(SIGMA, seed=noise_seed), [Fork(10 * HOUR_S + 100.0, 3)])
    now = np.searchsorted(edges, 10 * HOUR_S + 100.0, side="right") - 1
    np.testing.assert_allclose(forked[:, : now + 1], own[:, : now + 1], rtol=0, atol=1e-12)
    assert (np.abs(forked[:, now + 1 :] - own[:, now + 1 :]) > 1e-6).all()


def test_after_it_levels_are_an_autoregression_from_there_on():
    workload = flat().noise(SIGMA, seed=5)
    now_s = 10 * HOUR_S
    edges, _, own = levels(workload, [])
    now = int(np.searchsorted(edges, now_s, side="right")) - 1
    many = np.array([levels(workload, [Fork(now_s, seed)])[1] for seed in range(400)])
    middle = np.log(0.2) - SIGMA**2 / 2
    for steps in (1, 4, 8):
        keep = np.exp(-steps / 8)
        here = many[:, :, now + steps]
        for k in range(len(MODELS)):
            spread = SIGMA * np.sqrt(1 - keep**2)
            assert here[:, k].mean() == pytest.approx(middle + keep * (own[k, now] - middle), abs=4 * spread / 20)
            assert here[:, k].std() == pytest.approx(spread, rel=0.15)
    assert abs(np.corrcoef(many[:, 0, now + 8], many[:, 1, now + 8])[0, 1]) < 0.2  # models are independent


def test_forks_of_forks_go_on_from_the_level_that_was_forked():
    workload = flat().noise(SIGMA, seed=5)
    first, second = Fork(5 * HOUR_S, 1), Fork(9 * HOUR_S, 2)
    edges, once, _ = levels(workload, [first])
    _, twice, _ = levels(workload, [first, second])
    now = int(np.searchsorted(edges, second.now_s, side="right")) - 1
    np.testing.assert_array_equal(twice[:, : now + 1], once[:, : now + 1])
    assert (np.abs(twice - once)[:, now + 1 :] > 1e-6).all()


def test_other_transforms_stay_what_they_are():
    plain = flat().tier_mix({"IW-F": 3.0, "NIW": 1.0}).burst(3).shift(-5 * HOUR_S).slice(HOUR_S, 10 * HOUR_S)
    noisy = flat().tier_mix({"IW-F": 3.0, "NIW": 1.0}).noise(SIGMA, seed=5).burst(3).shift(-5 * HOUR_S).slice(HOUR_S, 10 * HOUR_S)
    world, now_s = published(), 3 * HOUR_S + 30.0
    tables = redrawn(plain, world, 0, [Fork(now_s, 1)])
    assert tables.edges[0] == now_s
    whole = plain.tables(world, 0)
    np.testing.assert_array_equal(tables.edges[1:], whole.edges[whole.edges > now_s])
    np.testing.assert_array_equal(tables.bins["rate"][:, -5:], whole.bins["rate"][:, -5:])
    own = noisy.tables(world, 0).since(now_s)
    forked = redrawn(noisy, world, 0, [Fork(now_s, 1)])
    np.testing.assert_array_equal(forked.edges, own.edges)
    np.testing.assert_allclose(forked.bins["rate"][:, 0], own.bins["rate"][:, 0])
    assert (forked.bins["rate"][:, -3:] != own.bins["rate"][:, -3:]).any()


def test_models_that_a_mix_leaves_out_stay_out():
    workload = flat().model_mix({MODELS[0]: 1.0}).noise(SIGMA, seed=5)
    tables = redrawn(workload, published(), 0, [Fork(HOUR_S, 1)])
    assert (tables.bins["rate"][1] == 0).all()
    assert (tables.bins["rate"][0] > 0).all()


def test_at_the_end_nothing_is_left():
    workload = flat()
    for now_s in (workload.duration_s, 2 * workload.duration_s):
        tables = redrawn(workload, published(), 0, [Fork(now_s, 1)])
        assert (tables.bins["rate"] == 0).all()
        assert np.isinf(next_arrivals(tables)).all()


def next_arrivals(tables):
    state = tables.start(1)
    out = np.zeros(4, REQUEST_DTYPE)
    assert kernel.fill(state, *tables.arrays, out) == 0
    return state["next_s"]


def test_instants_and_seeds_tell_futures_apart():
    words = {Fork(now_s, seed).word(index) for now_s in (0.0, 1.0) for seed in (0, 1) for index in (0, 1)}
    assert len(words) == 8
    assert Fork(1.0, 2).word(3) == Fork(1.0, 2).word(3)
