import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from sageserve_env.errors import InputError
from sageserve_env.world.measured.measurements import (
    A100,
    H100,
    MEASURED_MODELS,
    Points,
    decode_points,
    is_measured,
    prefill_by_length_points,
    prefill_points,
)
from sageserve_env.world.measured.profiles import (
    authors_profile,
    evaluate,
    h100_speedup,
    measured_profile,
    monotone_table,
    pool_adjacent_violators,
    scale_profile,
)
from sageserve_env.world.presets.published import golden_world
from sageserve_env.world.schema import TimeTable

PAIRS = [(model, vm_type) for model in MEASURED_MODELS for vm_type in (A100, H100)]

# model, prefills, decodes, batch tokens, seconds: iterations of the authors' simulator
GOLDEN_ITERATIONS = [
    ("llama-2-70b", 1, 0, 1, 0.07394898104917956),
    ("llama-2-70b", 1, 0, 512, 0.1030164810270071),
    ("llama-2-70b", 1, 0, 3000, 0.49056818735062735),
    ("llama-2-70b", 1, 0, 8192, 1.790966780497692),
    ("llama-2-70b", 1, 0, 40000, 9.342617609310091),
    ("llama-2-70b", 0, 1, 1, 0.05258261254040903),
    ("llama-2-70b", 0, 15, 15, 0.05263206961810269),
    ("llama-2-70b", 1, 1, 1111, 0.19833372650315712),
    ("llama-2-70b", 2, 13, 2190, 0.3534442668800273),
    ("bloom-176b", 1, 0, 16, 0.07260982470121236),
    ("bloom-176b", 1, 0, 20000, 6.999210113240915),
    ("bloom-176b", 0, 21, 21, 0.0575330229672568),
    ("bloom-176b", 1, 1, 2135, 0.6368843571835646),
]


@pytest.mark.parametrize(("model", "prefills", "decodes", "tokens", "seconds"), GOLDEN_ITERATIONS)
def test_raw_tables_give_the_authors_iteration_times(model, prefills, decodes, tokens, seconds):
    world = golden_world({"llama-2-70b": 1, "bloom-176b": 1})
    profile = next(item for item in world.models if item.name == model).profiles[A100]
    table = profile.prefill if prefills else profile.decode
    factor = world.serving.mixed_factor if prefills and decodes else 1.0
    assert factor * evaluate(table, tokens) + world.serving.iteration_overhead_s == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(("model", "vm_type"), PAIRS)
def test_tables_rise_from_one_token_to_far_beyond_the_measurements(model, vm_type):
    profile = measured_profile(model, vm_type)
    prefill = evaluate(profile.prefill, np.arange(1, 100_001))
    decode = evaluate(profile.decode, np.arange(1, 513))
    for times in (prefill, decode):
        assert times[0] > 0
        assert np.all(np.diff(times) >= -1e-12)
    measured_prefill = 32_768 if model in ("llama-2-70b", "bloom-176b") else 8192
    tail = prefill[-1] - prefill[-2]
    assert tail >= (prefill[measured_prefill - 1] - prefill[measured_prefill // 2 - 1]) / (measured_prefill / 2) - 1e-12
    assert decode[-1] - decode[-2] > 0


@pytest.mark.parametrize(("model", "vm_type"), [pair for pair in PAIRS if is_measured(*pair)])
def test_tables_stay_close_to_the_measurements(model, vm_type):
    profile = measured_profile(model, vm_type)
    for table, points in ((profile.prefill, prefill_points(model, vm_type)), (profile.decode, decode_points(model, vm_type))):
        assert np.max(np.abs(evaluate(table, points.tokens) / points.seconds - 1)) < 0.08


def test_decode_reads_whole_batch_iterations_against_requests():
    points = decode_points("llama-2-70b", A100)
    assert points.tokens.tolist() == [1, 2, 4, 8, 16, 32, 64]
    assert points.seconds[[0, 6]] == pytest.approx([0.04498, 0.07161], abs=1e-4)


def test_prefill_leaves_out_batches_of_small_models_that_did_not_prefill_whole():
    assert prefill_points("llama-3.2-3b", A100).tokens.tolist() == [128, 256, 512, 1024, 2048, 4096, 8192]
    eight_b = prefill_points("llama-3.1-8b", A100)
    assert eight_b.tokens[0] == 16  # from the second file
    assert eight_b.tokens[-1] == 8192
    assert np.all(np.diff(eight_b.tokens) > 0)


def test_the_second_8b_file_agrees_with_the_first_where_it_is_used():
    by_length = prefill_by_length_points()
    short = by_length.seconds[by_length.tokens < 128]
    assert np.max(np.abs(short / evaluate(measured_profile("llama-3.1-8b", A100).prefill, 128) - 1)) < 0.1


def test_small_models_on_h100_are_scaled_by_the_ratio_of_llama_2_70b():
    prefill_ratio, decode_ratio = h100_speedup()
    assert (prefill_ratio, decode_ratio) == (pytest.approx(2.07, abs=0.01), pytest.approx(1.44, abs=0.01))
    on_a100, on_h100 = measured_profile("llama-3.1-8b", A100), measured_profile("llama-3.1-8b", H100)
    assert evaluate(on_a100.prefill, 3000) / evaluate(on_h100.prefill, 3000) == pytest.approx(prefill_ratio)
    assert evaluate(on_a100.decode, 100) / evaluate(on_h100.decode, 100) == pytest.approx(decode_ratio)


@pytest.mark.parametrize("build", [measured_profile, authors_profile])
def test_a_pair_that_was_not_measured_is_named(build):
    with pytest.raises(InputError, match="model 'gpt-5' on VM type 'tpu'"):
        build("gpt-5", "tpu")


def test_a_pooled_end_goes_on_at_the_slope_of_the_chord():
    table = monotone_table(Points(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 2.0]), np.ones(3)))
    assert table == TimeTable((1.0, 2.0, 3.0, 6.0), (1.0, 3.0, 3.0, 6.0))


def test_evaluate_extends_both_ends():
    table = TimeTable((10.0, 20.0, 40.0), (1.0, 2.0, 8.0))
    assert evaluate(table, [0, 10, 15, 30, 50]).tolist() == [0.0, 1.0, 1.5, 5.0, 11.0]


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_must_be_positive(factor):
    with pytest.raises(InputError, match=f"scale = {factor}"):
        scale_profile(measured_profile("llama-2-70b", A100), factor, 1.0)


points = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.1, 100)), min_size=1, max_size=40)


@settings(deadline=None)
@given(points)
def test_pooling_gives_a_monotone_fit_with_the_same_weighted_mean(pairs):
    values, weights = np.array(pairs).T
    fit = pool_adjacent_violators(values, weights)
    assert fit.shape == values.shape
    assert np.all(np.diff(fit) >= 0)
    assert np.sum(fit * weights) == pytest.approx(np.sum(values * weights), rel=1e-9, abs=1e-3)
    assert fit.min() >= values.min() - 1e-6
    assert fit.max() <= values.max() + 1e-6


@settings(deadline=None)
@given(points)
def test_pooling_leaves_a_monotone_sequence_alone(pairs):
    values, weights = np.array(pairs).T
    rising = np.sort(values)
    assert np.array_equal(pool_adjacent_violators(rising, weights), rising)


@settings(deadline=None)
@given(points)
def test_pooling_is_least_squares(pairs):
    values, weights = np.array(pairs).T
    expected = isotonic_regression(values, weights=weights).x
    assert pool_adjacent_violators(values, weights) == pytest.approx(expected, rel=1e-9, abs=1e-6)
