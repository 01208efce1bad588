"""Statistics against values worked out by hand, and against SciPy's where it has the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sageserve_env.errors import InputError
from sageserve_env.evaluation.statistics import (
    MOST_EXACT,
    bootstrap_interval,
    holm,
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    sign_flip_test,
    tiers,
)

TABLE = np.array([[0.1, 0.9], [0.4, 1.2], [0.2, 0.6], [0.8, 0.3], [0.5, 2.0]])
"""Five runs of two tasks."""


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 20])
def test_interquartile_mean_is_the_trimmed_mean(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=(n, 3))
    assert interquartile_mean(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None), abs=1e-15)


def test_interquartile_mean_by_hand() -> None:
    # sorted: .1 .2 .3 .4 .5 .6 .8 .9 1.2 2.0; two go at each end
    assert interquartile_mean(TABLE) == pytest.approx((0.3 + 0.4 + 0.5 + 0.6 + 0.8 + 0.9) / 6)


def test_optimality_gap_by_hand() -> None:
    # what is missing up to 1: .9 .6 .8 .2 .5 and .1 0 .4 .7 0
    assert optimality_gap(TABLE) == pytest.approx(4.2 / 10)
    assert optimality_gap(TABLE, target=0.1) == pytest.approx(0.0)


def test_a_profile_counts_what_is_above() -> None:
    assert performance_profile(TABLE, [-1.0, 0.1, 0.55, 1.2, 2.0]).tolist() == [1.0, 0.9, 0.5, 0.1, 0.0]


def test_probability_of_improvement_is_mann_whitneys() -> None:
    rng = np.random.default_rng(1)
    mine, theirs = rng.integers(0, 5, (7, 3)), rng.integers(0, 5, (4, 3))  # with ties
    wanted = [stats.mannwhitneyu(mine[:, k], theirs[:, k]).statistic / 28 for k in range(3)]
    assert probability_of_improvement(mine, theirs) == pytest.approx(np.mean(wanted))
    assert probability_of_improvement(theirs, mine) == pytest.approx(1 - np.mean(wanted))
    assert probability_of_improvement(mine, mine) == pytest.approx(0.5)


def test_the_bootstrap_stays_within_its_strata() -> None:
    """Each task has equal runs: nothing can vary, though the tasks differ a lot."""
    assert bootstrap_interval(interquartile_mean, np.array([[1.0, 100.0]] * 5)) == (50.5, 50.5)


def test_the_bootstrap_agrees_with_scipys() -> None:
    scores = np.random.default_rng(3).normal(10.0, 2.0, size=40)
    ours = bootstrap_interval(lambda table: float(table.mean()), scores, draws=4000)
    theirs = stats.bootstrap((scores,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0))
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.1)


def test_the_bootstrap_has_a_seed() -> None:
    first, again, other = (bootstrap_interval(interquartile_mean, TABLE, seed=seed, draws=50) for seed in (1, 1, 2))
    assert first == again != other
    low, high = bootstrap_interval(probability_of_improvement, TABLE, TABLE - 0.2, draws=200)
    assert low <= probability_of_improvement(TABLE, TABLE - 0.2) <= high


def test_a_wider_level_is_a_wider_interval() -> None:
    narrow, wide = (bootstrap_interval(interquartile_mean, TABLE, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_sign_flips_by_hand() -> None:
    # |±1 ±2 ±3|: 6 and 0, 2 and 4, each twice; at least 4: 6 and 4 of the four
    assert sign_flip_test([1.0, 2.0, -1.0]) == pytest.approx(0.75)
    assert sign_flip_test([1.0, 2.0, 3.0]) == pytest.approx(2 / 8)
    assert sign_flip_test([0.0, 0.0]) == 1.0
    assert sign_flip_test([5.0]) == 1.0


@pytest.mark.parametrize("n", [4, 9, 13])
def test_sign_flips_are_scipys_permutation_test(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.5, 1.0, n)
    theirs = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(differences) == pytest.approx(min(1.0, theirs.pvalue))


def test_many_pairs_are_drawn_and_agree_with_the_exact_answer() -> None:
    """Zeros change nothing in the exact test, so the same differences with zeros added have the same answer."""
    differences = np.random.default_rng(5).normal(0.4, 1.0, MOST_EXACT - 2)
    exact = sign_flip_test(differences)
    drawn = sign_flip_test([*differences, 0.0, 0.0, 0.0])
    assert 0.01 < exact < 0.99
    assert drawn == pytest.approx(exact, abs=0.006)
    assert drawn == sign_flip_test([*differences, 0.0, 0.0, 0.0])
    assert sign_flip_test(np.ones(200)) == pytest.approx(1 / 100_001)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_tiers_hold_what_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(100.0, 20.0, 20)  # episodes differ far more than policies do
    close, far = level + rng.normal(0.0, 1.0, 20), level - 5.0 + rng.normal(0.0, 1.0, 20)
    assert tiers([far, level, close]).tolist() == [2, 1, 1]
    assert tiers([level, level]).tolist() == [1, 1]
    assert tiers([level]).tolist() == [1]
    assert tiers([level - 10, level - 5, level]).tolist() == [3, 2, 1]


def test_few_episodes_tell_nothing_apart() -> None:
    """Four pairs cannot have a p-value below an eighth."""
    assert tiers([[1.0] * 4, [2.0] * 4]).tolist() == [1, 1]


def test_many_rivals_make_it_harder_to_be_apart() -> None:
    """Six pairs of one sign have p = 1/32, which holds for one rival and not for two."""
    best, worse = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    assert tiers([best, worse]).tolist() == [1, 2]
    assert tiers([best, worse, worse]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: interquartile_mean([]), "shape"),
        (lambda: interquartile_mean([1.0, np.nan]), "nan"),
        (lambda: interquartile_mean("high"), "no array"),
        (lambda: interquartile_mean([[1.0], [1.0, 2.0]]), "no array"),
        (lambda: interquartile_mean(np.zeros((2, 2, 2))), "shape"),
        (lambda: optimality_gap([1.0], target=np.inf), "target"),
        (lambda: performance_profile([1.0], []), "thresholds"),
        (lambda: probability_of_improvement([[1.0, 2.0]], [[1.0]]), "tasks"),
        (lambda: bootstrap_interval(interquartile_mean), "none are given"),
        (lambda: bootstrap_interval(interquartile_mean, [1.0], level=1.5), "level"),
        (lambda: bootstrap_interval(interquartile_mean, [1.0], draws=0), "draws"),
        (lambda: bootstrap_interval(interquartile_mean, [1.0], seed=-1), "seed"),
        (lambda: sign_flip_test([1.0, np.inf]), "inf"),
        (lambda: sign_flip_test([]), "shape"),
        (lambda: holm([0.5, 1.5]), "p_values"),
        (lambda: holm([np.nan]), "p_values"),
        (lambda: tiers([[1.0], [2.0]], level=-0.1), "level"),
    ],
)
def test_bad_input_is_named(wrong, told: str) -> None:
    with pytest.raises(InputError, match=told):
        wrong()
