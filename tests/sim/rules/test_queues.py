"""Lists of requests in order: whatever comes and goes, each is where a sorted list would have it."""

from __future__ import annotations

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sageserve_env.sim.requests import queues
from sageserve_env.sim.state import FLIGHT, NONE, QUEUE
from sageserve_env.unsigned_indices import KernelCompiler

INSERT, PUT_BACK, APPEND, POP, POP_LAST = range(5)
MOVES = st.lists(st.tuples(st.sampled_from([INSERT, INSERT, PUT_BACK, APPEND, POP, POP_LAST]), st.integers(0, 12)), max_size=60)


@numba.njit(pipeline_class=KernelCompiler)
def do(move, flight, lists, slot):
    """One move by the simulator's kernels, which Python cannot call; the slot that was popped, or the one that was given."""
    if move == INSERT:
        queues.insert(flight, lists[0], slot)
    elif move == PUT_BACK:
        queues.put_back(flight, lists[0], slot)
    elif move == APPEND:
        queues.append(flight, lists[0], slot)
    elif move == POP:
        return queues.pop(flight, lists[0])
    else:
        return queues.pop_last(flight, lists[0])
    return slot


@settings(deadline=None)  # it is compiled first
@given(MOVES)
def test_a_list_stays_in_order(moves):
    flight, lists = np.zeros(len(moves), FLIGHT), np.full(1, NONE, np.int32).repeat(len(QUEUE.names)).view(QUEUE)
    key, expected = flight["key_s"], []
    for slot, (move, key_s) in enumerate(moves):
        key[slot] = max(key[expected], default=key_s) if move == APPEND else key_s
        if move in (POP, POP_LAST):
            if expected:
                assert do(move, flight, lists, slot) == expected.pop(0 if move == POP else -1)
        else:
            do(move, flight, lists, slot)
            before = key[expected] < key[slot] if move == PUT_BACK else key[expected] <= key[slot]
            expected.insert(int(np.sum(before)), slot)
        assert in_order(flight, lists[0], "head", "next") == expected
        assert in_order(flight, lists[0], "tail", "prev") == expected[::-1]


def in_order(flight, queue, end, link):
    """Slots from one end of a list to the other."""
    found, slot = [], queue[end]
    while slot != NONE:
        found.append(int(slot))
        slot = flight[slot][link]
    return found
