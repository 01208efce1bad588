"""A router that sees the utilization of some time ago."""

import numpy as np
import pytest

from sageserve_env.sim import Knobs
from sageserve_env.world.schema import Faults, Pool
from tests.sim.faults.helpers import faulty, start
from tests.sim.helpers import ALL, log_by_request


def regions_taken(age_s, arrivals_s, **parts):
    """Regions that take requests of 400 tokens each, half of an instance's memory; above a quarter, the router looks elsewhere."""
    world = faulty(Faults(router_telemetry_s=age_s), regions=2, kv_tokens=1000, **parts)
    knobs = Knobs.static(world)
    knobs.routing_threshold[:] = 0.25
    sim = start(world, *[(at_s, 400, 100) for at_s in arrivals_s], knobs=knobs)
    sim.advance(1000.0)
    return log_by_request(sim)["region"].tolist()


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (0.0, [0, 1, 0]),  # live: the first region is busy at once, and later the second as much
        (2.5, [0, 0, 1]),  # the second still finds it empty, as it was at time zero; the third sees it as it was at 2.5 s
        (60.0, [0, 0, 0]),
    ],
)
def test_the_router_sees_the_last_refresh(age_s, expected):
    assert regions_taken(age_s, (0.0, 1.0, 3.0)) == expected


def test_spills_see_it_too():
    pools = (Pool("first", ALL, {"m0": 1}, "second", 0.25), Pool("second", (), {"m0": 1}))
    for age_s, expected in ((0.0, [0, 1, 1]), (2.5, [0, 0, 1])):
        sim = start(faulty(Faults(router_telemetry_s=age_s), pools=pools), *[(at_s, 400, 100) for at_s in (0.0, 1.0, 3.0)])
        sim.advance(1000.0)
        assert log_by_request(sim)["pool"].tolist() == expected


def test_what_scales_and_what_is_measured_is_live():
    sim = start(faulty(Faults(router_telemetry_s=1e6)), (0.0, 400, 100))
    sim.advance(1.0)
    assert sim.telemetry().utilization[0] == pytest.approx(401 / 1000)
    assert np.all(sim._state["endpoint"]["seen_utilization"] == 0)
