"""Capacity: what an instance sustains, the cache of the preset worlds, and what is not in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines import capacity
from baselines.capacity import LEVEL, PLANNED, SATURATED, Search, attainment_at, largest, load_capacity, one_endpoint, saturation
from sageserve_env.errors import InputError
from sageserve_env.workload.drawn.sizes import table_mean
from sageserve_env.world import PRESETS, World, load_world
from sageserve_env.world.measured.measurements import A100, H100
from sageserve_env.world.measured.profiles import measured_profile
from sageserve_env.world.presets.published import VM_TYPES

MODEL = "bloom-176b"
SHORT = Search(instances=2, requests=2000, least_s=1000.0, tolerance=0.02)


@pytest.fixture(scope="module")
def published() -> World:
    return load_world("published")


def test_largest_brackets_a_threshold_within_its_tolerance():
    for threshold in (0.003, 0.9, 1.0, 37.0):
        found = largest(lambda rate, limit=threshold: rate <= limit, 0.01)
        assert threshold / 1.01 <= found <= threshold


@pytest.mark.parametrize("answer", [False, True])
def test_a_search_that_finds_no_bracket_ends(answer):
    with pytest.raises(InputError, match=r"rate = .*sustained; "):
        largest(lambda rate: answer, 0.01)


@pytest.mark.parametrize("search", [LEVEL, SATURATED], ids=["level", "saturated"])
def test_theta_is_sustained_and_a_fifth_more_is_not(published, search):
    sizes, endpoint = capacity.week_sizes(MODEL), one_endpoint(published, MODEL, H100, search.instances)
    theta = load_capacity(published, search)[1, 0]
    rate = theta * search.instances / table_mean(sizes.prompt)
    assert attainment_at(endpoint, sizes, 0.97 * rate, search) >= search.attainment
    assert attainment_at(endpoint, sizes, 1.2 * rate, search) < search.attainment


def test_attainment_falls_as_the_rate_rises(published):
    sizes, endpoint = capacity.week_sizes(MODEL), one_endpoint(published, MODEL, H100, 2)
    values = [attainment_at(endpoint, sizes, rate, SHORT) for rate in (0.05, 0.2, 0.8, 3.2)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    assert values[-1] < 0.05


def test_more_instances_newer_vms_and_a_laxer_level_sustain_more(published):
    smaller = saturation(published, MODEL, H100, SHORT)
    assert saturation(published, MODEL, H100, replace(SHORT, instances=4)) > smaller
    assert saturation(published, MODEL, H100, replace(SHORT, attainment=0.9)) > smaller
    assert saturation(published, MODEL, H100, replace(SHORT, tier="IW-N")) > smaller
    assert saturation(load_world("published-a100"), MODEL, A100, SHORT) < smaller


def test_the_same_search_gives_the_same_theta_and_its_share(published):
    theta = saturation(published, MODEL, H100, SHORT)
    assert saturation(published, MODEL, H100, SHORT) == theta
    assert saturation(published, MODEL, H100, replace(SHORT, share=0.25)) == 0.25 * theta


def test_a_fresh_search_finds_what_the_file_says(published):
    assert saturation(published, MODEL, H100, SATURATED) == pytest.approx(load_capacity(published, SATURATED)[1, 0], abs=0.06)


@pytest.mark.parametrize("name", PRESETS)
def test_the_file_holds_every_preset(name, monkeypatch):
    monkeypatch.setattr(capacity, "saturation", None)  # nothing may be searched
    world = load_world(name)
    for search in (LEVEL, SATURATED, PLANNED):
        theta = load_capacity(world, search)
        assert theta.shape == (len(world.models), len(world.vm_types))
        runs = [[kind.name in model.profiles for kind in world.vm_types] for model in world.models]
        assert (theta > 100).tolist() == runs


def test_planned_is_half_of_saturated(published):
    np.testing.assert_array_equal(load_capacity(published), 0.5 * load_capacity(published, SATURATED))


def two_types(published: World) -> World:
    """The paper's world with A100 VMs beside the H100; only the second model runs on them."""
    models = list(published.models)
    models[1] = replace(models[1], profiles={**models[1].profiles, A100: measured_profile(MODEL, A100)})
    return replace(published, vm_types=(VM_TYPES[H100], VM_TYPES[A100]), models=tuple(models))


def test_a_model_has_no_capacity_on_a_type_that_it_does_not_run_on(published):
    theta = load_capacity(two_types(published))
    assert theta.shape == (4, 2)
    assert (theta[:, 1] > 0).tolist() == [False, True, False, False]
    assert theta[1, 1] == load_capacity(load_world("published-a100"))[1, 0]


def test_what_the_file_lacks_is_searched_and_said_so_once(published, capsys):
    slow = replace(published, models=(published.models[1],), serving=replace(published.serving, max_batch=1))
    theta = load_capacity(slow, SHORT)
    assert "searching for the capacity of bloom-176b on h100-80gb-x8" in capsys.readouterr().err
    assert theta[0, 0] == saturation(slow, MODEL, H100, SHORT)
    np.testing.assert_array_equal(load_capacity(slow, SHORT), theta)
    assert capsys.readouterr().err == ""


def test_prices_regions_and_fleets_do_not_matter_to_the_fingerprint(published):
    world = replace(published, name="other", regions=published.regions[:1], latency_s=((0.1,),), pools=())
    ours, theirs = (capacity.fingerprint(each, MODEL, H100, LEVEL) for each in (published, world))
    assert ours == theirs != capacity.fingerprint(load_world("physical"), MODEL, H100, LEVEL)


def test_a_model_that_the_week_lacks_needs_its_own_sizes(published):
    renamed = replace(published.models[1], name="mine")
    world = replace(published, models=(renamed,))
    with pytest.raises(InputError, match=r"model = 'mine' is not in the O365 week .*; search with sizes="):
        load_capacity(world)
    sizes = replace(capacity.week_sizes(MODEL), model="mine")
    assert saturation(world, "mine", H100, SHORT, sizes) == saturation(published, MODEL, H100, SHORT)


@pytest.mark.parametrize(
    ("model", "vm_type", "message"),
    [
        ("gpt", H100, "model = 'gpt' is not in world 'published'; choose one of llama-2-70b"),
        (MODEL, "tpu", "vm_type = 'tpu' is not in world 'published'; choose one of h100-80gb-x8"),
    ],
)
def test_unknown_pairs_are_named(published, model, vm_type, message):
    with pytest.raises(InputError, match=message):
        saturation(published, model, vm_type)


def test_a_type_without_a_profile_is_named(published):
    with pytest.raises(InputError, match="vm_type = 'a100-80gb-x8' does not run llama-2-70b; choose one of h100-80gb-x8"):
        saturation(two_types(published), "llama-2-70b", A100)


@pytest.mark.parametrize(
    "options",
    [
        {"tier": "NIW"},
        {"attainment": 0.0},
        {"attainment": 1.5},
        {"instances": 0},
        {"requests": 0},
        {"least_s": 0.0},
        {"tolerance": 0.0},
        {"share": 0.0},
        {"seed": -1},
    ],
)
def test_a_search_out_of_range_is_refused(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} = "):
        Search(**options)


def test_the_command_writes_what_load_capacity_reads(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(capacity, "FILE", tmp_path / "capacity.json")
    monkeypatch.setattr(capacity, "PRESETS", {"published": None})
    monkeypatch.setattr(capacity, "saturation", lambda world, model, vm_type, search: 1234.56)
    assert capacity.main(["--write"]) == 0
    assert capsys.readouterr().out.count("1,235 tokens/s") == 8
    written = capacity.known.__wrapped__()
    assert set(written.values()) == {1234.6}
    assert len(written) == 8
