"""Shares of behaviours: read, refused, and made whole episodes."""

import numpy as np
import pytest

from sageserve_env.datasets.mix import kinds_of, read_mix
from sageserve_env.errors import InputError


def test_shares_are_read_in_any_order() -> None:
    assert read_mix("expert = 0.5, random=0.5") == {"expert": 0.5, "random": 0.5}
    assert read_mix("expert=1") == {"expert": 1.0}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "--mix = ''"),
        ("best=1", "--mix = 'best'"),
        ("expert", "has no share"),
        ("expert=much", "has no share"),
        ("expert=0.5,expert=0.5", "names expert twice"),
        ("expert=0.5", "makes 0.5, not 1"),
        ("expert=1.5,random=-0.5", "not from 0 to 1"),
        ("expert=nan", "not from 0 to 1"),
    ],
)
def test_what_is_no_mix_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_mix(text)


def test_every_episode_has_a_kind_and_shares_hold() -> None:
    kinds = kinds_of({"random": 0.3, "noisy": 0.3, "expert": 0.4}, 21, np.random.default_rng(0))
    assert [kinds.count(kind) for kind in ("random", "noisy", "expert")] == [6, 6, 9]  # of 6.3, 6.3, 8.4
    assert kinds != sorted(kinds)
    assert kinds == kinds_of({"random": 0.3, "noisy": 0.3, "expert": 0.4}, 21, np.random.default_rng(0))
