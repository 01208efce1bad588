"""VMs that are taken away: the notice, the eviction, the return; all times certain, since each median is its 90th percentile."""

import pytest

from sageserve_env.sim import Knobs
from sageserve_env.world.schema import Faults, LeadTimes, Scaling
from tests.sim.faults.helpers import certain, faulty, start
from tests.sim.helpers import log_by_request

EVICTED = Faults(evicted_vm_types=("t0",), eviction_notice_s=4.0, **certain(up=10.0, down=100.0))


def states(sim):
    seen = sim.telemetry()
    return tuple(int(getattr(seen, name).sum()) for name in ("active", "provisioning", "draining", "spot", "failed"))


def test_a_vm_drains_from_the_notice_on_and_what_is_left_is_sent_anew():
    sim = start(faulty(EVICTED, vms=1, scaling=Scaling(tick_s=1.0)), (0.0, 64, 10), (3.0, 64, 200), (7.0, 64, 1))
    sim.advance(5.9)
    assert states(sim) == (1, 0, 0, 0, 0)
    sim.advance(6.1)
    assert states(sim) == (0, 0, 1, 0, 0)
    sim.advance(9.9)
    assert states(sim) == (0, 0, 1, 0, 0)  # nobody takes it back: it is about to go
    assert sim.telemetry().completed.sum() == 1
    assert sim.telemetry().waiting.sum() == 1  # the third is held
    sim.advance(10.1)
    assert states(sim) == (0, 0, 0, 0, 1)
    assert sim.telemetry().retried.sum() == 1
    sim.advance(109.9)
    assert states(sim) == (0, 0, 0, 0, 1)
    sim.advance(112.0)
    assert states(sim) == (1, 0, 0, 0, 0)
    assert sim.telemetry().completed.sum() == 1
    sim.advance(113.9)
    assert sim.metrics().evictions == 1
    log = log_by_request(sim)
    assert log["completion_s"][0] < 6.0
    assert log["prefill_start_s"][log["request"] == 2] == pytest.approx(111.0)


def test_a_drained_vm_under_notice_is_spot_until_it_is_gone_and_is_not_taken():
    sim = start(faulty(EVICTED, vms=2, scaling=Scaling(tick_s=1.0)))
    sim.advance(6.5)
    assert states(sim) == (0, 0, 0, 2, 0)
    sim.advance(9.5)
    assert states(sim) == (0, 0, 0, 2, 0)
    assert sim.metrics().blocked_scale_outs >= 3
    sim.advance(10.5)
    assert states(sim) == (0, 0, 0, 0, 2)
    sim.advance(115.5)
    assert states(sim) == (1, 0, 0, 1, 0)
    sim.advance(117.0)
    assert states(sim) == (0, 0, 0, 2, 0)  # up again for ten seconds, of which four are notice


def test_what_provisions_is_given_up_at_the_notice():
    world = faulty(EVICTED, vms=1, instances=0, lead_times=LeadTimes(9.0, 9.0, 9.0))
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = 1
    sim = start(world, knobs=knobs)
    sim.advance(5.9)
    assert states(sim) == (0, 1, 0, 0, 0)
    sim.advance(6.1)
    assert states(sim) == (0, 0, 0, 1, 0)
    assert sim.telemetry().spot_same_model.sum() == 0


def test_types_that_are_not_listed_stay():
    sim = start(faulty(Faults(evicted_vm_types=())))
    sim.advance(1000.0)
    assert states(sim) == (1, 0, 0, 3, 0)


def test_without_notice_it_is_gone_at_once():
    faults = Faults(evicted_vm_types=("t0",), eviction_notice_s=0.0, **certain(up=10.0, down=100.0))
    sim = start(faulty(faults, vms=1), (9.5, 64, 4))
    sim.advance(10.1)
    assert states(sim) == (0, 0, 0, 0, 1)
    assert sim.telemetry().retried.sum() == 1
