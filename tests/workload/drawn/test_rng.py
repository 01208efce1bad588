"""The generators against published vectors, and the independence of purposes."""

import numpy as np
import pytest

from sageserve_env.workload.drawn import rng


def splitmix64(seed, n):
    """Steele, Lea and Flood's generator in plain Python, as published by Vigna."""
    mask, state, out = 2**64 - 1, seed, []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(z ^ (z >> 31))
    return out


def test_splitmix64_gives_the_published_numbers():
    # Outputs for seed 1234567, as in the reference listings (Rosetta Code; Java's SplittableRandom).
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert splitmix64(1234567, 5) == expected
    assert rng.counter_words(1234567, 0, 5).tolist() == expected


def test_counter_words_are_positions_of_one_sequence():
    assert rng.counter_words(99, 3, 4).tolist() == splitmix64(99, 7)[3:]


def test_xoshiro256plusplus_gives_the_published_numbers():
    # State 1, 2, 3, 4: the reference vector of rand_xoshiro and of the C implementation by Blackman and Vigna.
    words = np.array([1, 2, 3, 4], np.uint64)
    expected = [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]
    assert [int(rng.next_word(words)) for _ in expected] == expected


def test_open_uniforms_stay_inside():
    words = rng.generator_words(0, rng.GAPS)
    draws = np.array([rng.next_open(words) for _ in range(20_000)])
    assert draws.min() > 0
    assert draws.max() < 1
    assert abs(draws.mean() - 0.5) < 0.01


@pytest.mark.parametrize("other", [(2, rng.GAPS, 0), (1, rng.SIZES, 0), (1, rng.GAPS, 1)])
def test_seed_purpose_and_index_each_give_another_generator(other):
    assert not set(rng.generator_words(1, rng.GAPS, 0).tolist()) & set(rng.generator_words(*other).tolist())
