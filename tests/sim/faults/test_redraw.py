"""Faults to come drawn anew: by their laws, given how long all has gone well; what has begun stays."""

import numpy as np
import pytest
from scipy import stats

from sageserve_env.sim import Simulator
from sageserve_env.sim import state as st
from sageserve_env.sim.faults.redraw import redraw_faults
from sageserve_env.world.schema import Faults
from tests.sim.faults.helpers import faulty
from tests.sim.helpers import ArrayWorkload, requests

MANY = 4000
NOW_S = 3000.0
ROWS = ArrayWorkload(requests((0.0, 20, 10, 0)))
EVICTED = Faults(evicted_vm_types=("t0",), eviction_notice_s=60.0)
MU, SIGMA = np.log(2100.0), np.log(20_040.0 / 2100.0) / stats.norm.ppf(0.9)


def at_now(faults, seed=7):
    sim = Simulator(faulty(faults, vms=MANY), ROWS, seed=seed)
    sim.advance(NOW_S)
    return sim


def redrawn(sim, seed):
    before = sim._state["fault"].copy()
    redraw_faults(np.uint64(seed), *sim._arguments())
    return before, sim._state["fault"]


@pytest.mark.parametrize("seed", [1, 2])
def test_evictions_to_come_are_those_of_vms_that_have_lived_so_long(seed):
    sim = at_now(EVICTED)
    before, after = redrawn(sim, seed)
    is_first = (before["phase"] == st.UP) & (before["up_s"] == 0)
    starts = after["start_s"][is_first]
    assert starts.size > 1000
    assert (starts > NOW_S + 60.0).all()  # no notice was given yet
    law = stats.truncnorm((np.log(NOW_S + 60.0) - MU) / SIGMA, np.inf, MU, SIGMA)
    assert stats.kstest(np.log(starts), law.cdf).pvalue > 0.01
    is_back = (before["phase"] == st.UP) & (before["up_s"] > 0)
    assert is_back.sum() > 20
    assert (after["up_s"] == before["up_s"]).all()
    assert (after["start_s"][is_back] > NOW_S + 60.0).all()


def test_failures_have_no_memory():
    sim = at_now(Faults(failures_per_vm_day=5.0, repair_median_s=600.0, repair_p90_s=2400.0))
    before, after = redrawn(sim, 1)
    is_up = before["phase"] == st.UP
    waits = after["start_s"][is_up] - NOW_S
    assert stats.kstest(waits, "expon", (0, 86_400 / 5)).pvalue > 0.01
    assert abs(np.corrcoef(waits, before["start_s"][is_up])[0, 1]) < 0.05


def test_what_has_begun_and_what_is_planned_stays():
    sim = at_now(EVICTED)
    before, after = redrawn(sim, 1)
    has_begun = before["phase"] != st.UP
    assert set(before["phase"][has_begun].tolist()) == {st.NOTICE, st.DOWN}
    assert after[has_begun].tobytes() == before[has_begun].tobytes()


def test_what_is_drawn_anew_happens_when_it_says():
    sim = at_now(EVICTED)
    _, after = redrawn(sim, 1)
    expected = after["start_s"].copy()
    first = int(np.where(after["phase"] == st.UP, expected, np.inf).argmin())
    sim.advance(float(np.nextafter(expected[first], np.inf)))
    assert sim._state["fault"]["phase"][first] == st.DOWN


def test_the_same_seed_is_the_same_and_another_another():
    drawn = [redrawn(at_now(EVICTED), seed)[1].tobytes() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    none = Simulator(faulty(Faults(), vms=2), ROWS)
    redraw_faults(np.uint64(1), *none._arguments())  # nothing can go wrong, nothing is drawn
