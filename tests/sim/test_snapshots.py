"""What a snapshot belongs to: it is restored there, wherever it was made, and nowhere else."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.sim import Simulator
from sageserve_env.workload import O365Week
from sageserve_env.world import LeadTimes, load_world
from tests.sim.helpers import ArrayWorkload, requests, state_bytes, toy_world

ROOT = Path(__file__).resolve().parents[2]
ROWS = requests(*[(0.5 * k, 20, 10, k % 3) for k in range(60)])
WORLD = toy_world(instances=2)


def simulator(until_s=10.0, *, world=WORLD, rows=ROWS, **options):
    sim = Simulator(world, ArrayWorkload(rows), **options)
    sim.advance(until_s)
    return sim


def everything(sim):
    mark = sim._stream.snapshot()
    return state_bytes(sim), sim._chunk.tobytes(), mark, [part.tobytes() for part in sim._log], sim._log_buffer.tobytes()


FOREIGN = {
    "world.lead_times": lambda: simulator(world=replace(WORLD, lead_times=LeadTimes(1.0, 2.0, 3.0))),
    "world.pools": lambda: simulator(world=toy_world(instances=1)),
    "world.regions": lambda: simulator(world=toy_world(instances=2, regions=2)),
    "world.scaling": lambda: simulator(world=replace(WORLD, scaling=replace(WORLD.scaling, tick_s=7.0))),
    "world.tiers": lambda: simulator(world=replace(WORLD, tiers=(replace(WORLD.tiers[0], slo_s=2.0), *WORLD.tiers[1:]))),
    "workload": lambda: simulator(rows=requests(*[(0.5 * k, 21, 10, k % 3) for k in range(60)])),
    "log_requests": lambda: simulator(log_requests=True),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_snapshot_of_something_else_is_refused_and_changes_nothing(what):
    sim, foreign = simulator(5.0), FOREIGN[what]().snapshot()
    before = everything(sim)
    with pytest.raises(InputError, match=rf"snapshot: it was taken with another {what}; restore it into a Simulator"):
        sim.restore(foreign)
    assert everything(sim) == before


def test_another_seed_is_refused():
    with pytest.raises(InputError, match="another seed"):
        simulator(seed=1).restore(simulator(seed=2).snapshot())


@pytest.mark.parametrize("wrong", [None, "x", 7, {}, simulator])
def test_what_is_no_snapshot(wrong):
    with pytest.raises(InputError, match=r"snapshot = .* is none of a Simulator; give what snapshot\(\) returned"):
        simulator().restore(wrong)


def test_parts_of_a_snapshot_that_do_not_fit():
    sim = simulator(5.0)
    kept = simulator().snapshot()
    before = everything(sim)
    for name in kept.arrays:
        longer = np.concatenate([kept.arrays[name], np.zeros_like(kept.arrays[name], shape=(1, *kept.arrays[name].shape[1:]))])
        for other in (np.zeros(1, np.int16), longer if name != "flight" else np.zeros((2, 2))):
            with pytest.raises(InputError, match=f"its array '{name}' is of another version"):
                sim.restore(replace(kept, arrays={**kept.arrays, name: other}))
    with pytest.raises(InputError, match="snapshot of a stream"):
        sim.restore(replace(kept, stream=None))
    assert everything(sim) == before


def test_a_stream_that_fails_leaves_the_simulator_where_it_was(monkeypatch):
    sim, kept = simulator(5.0), simulator().snapshot()
    before = everything(sim)

    def fail(snapshot):
        raise OSError("the file is gone")

    monkeypatch.setattr(sim._stream._stream, "restore", fail)
    with pytest.raises(OSError, match="the file is gone"):
        sim.restore(kept)
    assert everything(sim) == before


def test_a_pool_that_may_not_grow_so_large():
    crowd = requests(*[(0.0, 20, 10)] * 3000)
    kept = simulator(0.5, rows=crowd).snapshot()
    with pytest.raises(InputError, match=r"max_in_flight = 2000 is less than the 3000 slots of the snapshot; raise it"):
        Simulator(WORLD, ArrayWorkload(crowd), max_in_flight=2000).restore(kept)


def test_equal_arguments_are_enough():
    def hour(**options):
        return Simulator(load_world("published"), O365Week(start_s=3600.0, duration_s=60.0, scale=0.1, **options), seed=3)

    sim = hour()
    sim.advance(20.0)
    kept = pickle.loads(pickle.dumps(sim.snapshot()))
    sim.advance(60.0)
    again = hour(name="another name", chunk_rows=100)
    again.restore(kept)
    again.advance(60.0)
    assert again.metrics().to_dict() == sim.metrics().to_dict()


PROGRAM = """
import pickle, sys
from tests.sim.test_snapshots import simulator
if sys.argv[1] == "write":
    sys.stdout.buffer.write(pickle.dumps(simulator().snapshot()))
else:
    sim = simulator(0.0)
    sim.restore(pickle.loads(sys.stdin.buffer.read()))
    sim.advance(40.0)
    print(sim.now_s, sim.events, sim.metrics().total)
"""


def test_another_process_goes_on():
    def run(what, given=b""):
        done = subprocess.run([sys.executable, "-c", PROGRAM, what], cwd=ROOT, input=given, capture_output=True, check=True)
        return done.stdout

    sim = simulator(40.0)
    assert run("read", run("write")).decode().strip() == f"{sim.now_s} {sim.events} {sim.metrics().total}"
