"""Options of a vector's reset: one dict for all rows, or each row's own."""

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError

HOUR = {"problem": "mini", "horizon_s": 3600.0}


def test_rows_take_their_own_options():
    wanted = [{"initial_instances": 2}, None, {"day": "wednesday-o365-a", "scale": 2.0}]
    envs = VectorFleetEnv(3, **HOUR)
    observations, infos = envs.reset(seed=5, options=wanted)
    for row, options in enumerate(wanted):
        observation, info = FleetEnv(**HOUR).reset(seed=5 + row, options=options)
        np.testing.assert_array_equal(observations[row], observation)
        assert {name: infos[name][row] for name in ("day", "start_s", "scale")} == {k: info[k] for k in ("day", "start_s", "scale")}


def test_the_callers_options_are_left_alone():
    wanted = [{"day": "wednesday-o365-a"}, {}]
    VectorFleetEnv(2, **HOUR).reset(seed=0, options=wanted)
    assert wanted == [{"day": "wednesday-o365-a"}, {}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([{}], "1 dicts for 2 environments"),
        ([{}, 3], "options = 3 is no dict"),
        ("friday", "options = 'friday' is no dict"),
        ([{}, {"reset_mask": np.ones(2, np.bool_)}], "reset_mask"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        VectorFleetEnv(2, **HOUR).reset(options=options)
