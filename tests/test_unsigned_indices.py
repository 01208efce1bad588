"""Indices of kernels are taken as unsigned, and read and write what Python's do."""

from __future__ import annotations

import numpy as np
import pytest
from numba import int64, njit

from sageserve_env.unsigned_indices import KernelCompiler


def scatter(table, places, values):
    """Reads and writes through every kind of index that kernels use."""
    for place in places:
        row = table[place]
        row[1] += values[place]
        table[place, 0] = row[1] + table[np.int32(place), np.uint8(2)]
    table[-1, 2] = table[1:3, 1].sum() + table[1, -1] + table[0][-1]  # constants still count from the end


def test_every_kind_of_index_reads_and_writes_what_pythons_does():
    compiled = njit(pipeline_class=KernelCompiler)(scatter)
    ours, theirs = (np.arange(12.0).reshape(4, 3) for _ in range(2))
    for function, table in ((compiled, ours), (scatter, theirs)):
        function(table, np.array([3, 0, 3, 1], np.int32), np.array([0.5, 1.5, 2.5, 3.5]))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "compares"), [({}, True), ({"pipeline_class": KernelCompiler}, False)], ids=["numba", "kernels"]
)
def test_an_index_is_compared_with_0_by_numba_and_not_in_kernels(options, compares):
    follow = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(lambda links, start: links[links[start]])
    follow.compile((int64[::1], int64))
    (code,) = follow.inspect_llvm().values()
    assert ("icmp slt" in code or "ashr" in code) == compares
