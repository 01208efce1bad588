"""Non-interactive requests known ahead of their time: which move, how far, in what order, whatever the chunks."""

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import load_workload
from sageserve_env.workload.transforms.compose import EarlyNiw
from sageserve_env.workload.transforms.early import NIW
from tests.sim.helpers import ArrayWorkload, requests
from tests.workload.helpers import play, same


def early(rows, by_s, chunk_rows=4096):
    base = ArrayWorkload(rows, chunk_rows)
    base.__dict__.update(week_start_s=None, past=None)  # what transforms keep of any workload
    return EarlyNiw(base, by_s)


def test_only_niw_moves_and_none_before_the_start(world):
    rows = requests((1.0, 10, 1, 0), (2.0, 11, 1, NIW), (9.0, 12, 1, 0), (11.0, 13, 1, NIW), (12.0, 14, 1, 1))
    moved = play(early(rows, 4.0).stream(world, 0))
    assert moved["prompt_tokens"].tolist() == [11, 10, 13, 12, 14]
    assert moved["arrival_s"].tolist() == [0.0, 1.0, 7.0, 9.0, 12.0]


@pytest.mark.parametrize("chunk_rows", [1, 2, 7, 50])
def test_chunks_change_nothing(world, chunk_rows):
    rng = np.random.default_rng(0)
    rows = requests(*((float(t), k + 1, 1, int(rng.integers(3))) for k, t in enumerate(np.sort(rng.integers(0, 60, 200)))))
    whole = play(early(rows, 10.0).stream(world, 0))
    assert np.all(np.diff(whole["arrival_s"]) >= 0)
    assert same(play(early(rows, 10.0, chunk_rows).stream(world, 0)), whole)
    stream = early(rows, 10.0, chunk_rows).stream(world, 0)
    first, position = stream.next_chunk(), stream.snapshot()
    rest = play(stream)
    stream.restore(position)
    assert same(play(stream), rest)
    assert same(np.concatenate([first, rest]), whole)


def test_a_workload_of_the_catalogue_by_its_method(world):
    base = load_workload("o365-hour").slice(0.0, 900.0)
    plain, moved = play(base.stream(world, 3)), play(base.early_niw(256.0).stream(world, 3))
    assert base.early_niw(256.0).duration_s == 900.0
    assert "NIW-256s" in base.early_niw(256.0).name
    for tier in range(3):
        before, after = (np.sort(requests["arrival_s"][requests["tier"] == tier]) for requests in (plain, moved))
        assert after == pytest.approx(np.maximum(before - (256.0 if tier == NIW else 0.0), 0.0))
    with pytest.raises(InputError, match="early_niw: by_s = -1"):
        base.early_niw(-1)
