from dataclasses import replace

import pytest

from sageserve_env.errors import InputError
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import published

WORKLOAD = O365Week(duration_s=600.0)


def test_the_horizon_is_the_workloads_unless_given():
    assert Scenario("s", published(), WORKLOAD).horizon_s == 600.0
    assert Scenario("s", published(), WORKLOAD, duration_s=60.0).horizon_s == 60.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " "}, "name = ' ' is not a name"),
        ({"control_interval_s": 0}, "control_interval_s = 0 is not valid; give seconds"),
        ({"control_interval_s": float("nan")}, "control_interval_s = nan"),
        ({"duration_s": -1.0}, "duration_s = -1.0 is not valid"),
        ({"world": replace(published(), name="")}, "name = '' is not a name"),
    ],
)
def test_a_bad_value_is_named(change, message):
    with pytest.raises(InputError, match=message):
        replace(Scenario("s", published(), WORKLOAD), **change)
