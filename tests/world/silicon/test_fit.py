from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from sageserve_env.errors import InputError
from sageserve_env.world import parse_world
from sageserve_env.world.silicon import (
    SHIPPED_FITS,
    Deployment,
    Group,
    dump_fits,
    dump_profiles,
    fit_groups,
    read_fits,
    read_groups,
)
from sageserve_env.world.silicon.fit import tpot_columns, ttft_columns
from sageserve_env.world.silicon.least_squares import nonnegative_least_squares

TRUE = np.array([0.011, 5e-5, 2.8e-8, 4.9e-5, 1e-9, 0.02])
FIELDS = ("base_s", "sequence_s", "context_token_s", "prefill_token_s", "prefill_context_s", "frontend_s")


def group_of(noise, seed=0, outliers=0):
    """Runs of an engine whose iterations are known."""
    rng = np.random.default_rng(seed)
    shapes = [(p, o, n) for p in (512, 2048, 8192) for o in (128, 1024, 8192) for n in (1, 4, 16, 64, 256)]
    prompt, output, users = np.array(shapes, float).T
    blank = Group(Deployment("m", "s", "e"), prompt, output, users, users, users, np.arange(len(users)) % 4 == 1)
    tpot_s, ttft_s = (make(blank) @ TRUE * np.exp(noise * rng.normal(size=len(users))) for make in (tpot_columns, ttft_columns))
    tpot_s[rng.choice(len(users), outliers, replace=False)] *= 5
    return replace(blank, tpot_s=tpot_s, ttft_s=ttft_s)


def found(group):
    (fit,) = fit_groups([group])
    return fit, np.array([getattr(fit, name) for name in FIELDS])


def test_exact_runs_give_the_parameters_back():
    fit, parameters = found(group_of(noise=0))
    np.testing.assert_allclose(parameters, TRUE, rtol=1e-4)
    assert fit.tpot_error_held_out < 1e-4 > fit.ttft_error_held_out


@pytest.mark.parametrize("seed", range(5))
def test_noisy_runs_with_outliers_give_the_parameters_back(seed):
    fit, parameters = found(group_of(noise=0.03, seed=seed, outliers=4))
    np.testing.assert_allclose(parameters[[0, 2, 3]], TRUE[[0, 2, 3]], rtol=0.15)
    assert fit.tpot_error_held_out < 0.06
    assert (parameters >= 0).all()


def test_no_fit_sees_what_is_held_out():
    group = group_of(noise=0.03)
    spoiled = replace(group, tpot_s=np.where(group.held_out, 1e3, group.tpot_s), ttft_s=np.where(group.held_out, 1e3, group.ttft_s))
    (fit, parameters), (other, same) = found(group), found(spoiled)
    assert parameters.tolist() == same.tolist()
    assert (fit.tpot_error, fit.ttft_error) == (other.tpot_error, other.ttft_error)
    assert other.tpot_error_held_out > 0.9 > fit.tpot_error_held_out


def test_too_few_runs():
    group = group_of(noise=0)
    nine = group.part(np.arange(len(group)) < 9)
    with pytest.raises(InputError, match=r"no deployment has 10 settings .* the largest has 9"):
        fit_groups([nine])


@pytest.mark.parametrize("seed", range(40))
def test_nonnegative_least_squares_against_scipy(seed):
    rng = np.random.default_rng(seed)
    width = int(rng.integers(1, 7))
    columns = rng.random((12, width)) * 10.0 ** rng.integers(-6, 6, width)
    if seed % 4 == 0:
        columns[:, -1] = 2 * columns[:, 0]
    values = rng.normal(size=12)
    ours, theirs = nonnegative_least_squares(columns, values), nnls(columns, values)[0]
    assert (ours >= 0).all()
    assert np.linalg.norm(columns @ ours - values) <= np.linalg.norm(columns @ theirs - values) * (1 + 1e-7)


def test_the_shipped_fits_are_what_the_shipped_runs_give():
    fits = fit_groups(read_groups())
    assert dump_fits(fits) == SHIPPED_FITS.read_text(encoding="utf-8")
    assert read_fits() == fits


def test_dense_models_reach_the_figures():
    dense = [fit for fit in read_fits() if "Llama" in fit.deployment.model or "Qwen3-32B" in fit.deployment.model]
    assert len(dense) == 45
    assert np.median([fit.tpot_error_held_out for fit in dense]) < 0.05
    assert np.median([fit.ttft_error_held_out for fit in dense]) < 0.20


def test_profiles_go_into_a_world(tmp_path):
    (fit,) = (fit for fit in read_fits() if fit.deployment.label == "Llama-3.1-70B h100_sxm vllm fp8 TP8 MoE TP8")
    entry = dump_profiles([fit]).replace(f"{fit.deployment.label}:", "h100-80gb-x8:", 1)
    indented = "".join(f"  {line}\n" for line in entry.splitlines())
    world = parse_world(
        "extends: published\npools: [{name: unified, tiers: [IW-F, IW-N, NIW], instances: {llama: 2}}]\n"
        f"models:\n- name: llama\n  weights_bytes: 7.0e+10\n  kv_bytes_per_token: 163840\n{indented}"
    )
    assert world.models[0].profiles == {"h100-80gb-x8": fit.profile}
