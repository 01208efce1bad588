"""What a controller is told of an episode: the past as it was, sizes as they are, and nothing of what will come."""

import pickle

import numpy as np
import pytest

from sageserve_env.evaluation.locked.play.briefing import Recorded, briefing
from sageserve_env.evaluation.locked.protocol import held_out
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.scenarios import Scenario, load_problem
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.play import play
from sageserve_env.workload.rates import past_rates, token_rates


def told(name: str, number: int):
    """A problem's scenario as it is told, and the episode."""
    problem = load_problem(name)
    episode = problem.sample("test", np.random.default_rng(EPISODE_SEED), held_out(problem)[number])
    return Scenario(**pickle.loads(pickle.dumps(briefing(problem, episode, 5)))), episode


@pytest.mark.parametrize("name", ["mini", "week", "azure", "paper"])
def test_the_past_is_the_episodes(name: str) -> None:
    scenario, episode = told(name, -1)
    mine, true = (past_rates(workload, scenario.world, 5) for workload in (scenario.workload, episode.workload))
    assert mine.shape == true.shape
    assert np.array_equal(mine, true)
    assert (mine.size > 0) == (name != "week")


@pytest.mark.parametrize("name", ["mini", "week"])
def test_what_arrives_is_told_as_a_mean(name: str) -> None:
    """One rate for each series, the same whatever the day and its perturbation, and neither noise nor other seeds of the future."""
    first, last = (told(name, number)[0].workload for number in (0, -1))
    assert isinstance(first, IntensityWorkload)
    assert first.intensity.rate.shape[1] == 1
    assert np.array_equal(first.intensity.rate, last.intensity.rate)
    for workload in (first, last, getattr(last, "past", None)):
        assert workload is None or workload.operations == ()
    scenario, episode = told(name, 0)
    sizes = [workload.intensity.series[0].prompt for workload in (scenario.workload, episode.workload)]
    assert np.array_equal(*sizes)
    assert scenario.horizon_s == episode.horizon_s
    assert token_rates(scenario.workload, scenario.world).sum() > 0


def test_of_a_trace_nothing_is_told_but_the_requests_before() -> None:
    """The past is cut loose from the trace, which has the future, too."""
    scenario, episode = told("azure", -1)
    assert isinstance(scenario.workload, Recorded)
    assert play(scenario.workload, scenario.world, 0).next_chunk().size == 0
    past, true, n = scenario.workload.past, episode.workload.past, 0
    while past is not None:
        assert type(past) is Recorded
        assert set(vars(past)) == {"name", "duration_s", "requests", "past"}
        wanted = []
        stream = play(true, scenario.world, 5)
        while (chunk := stream.next_chunk()).size:
            wanted.append(chunk)
        assert np.array_equal(past.requests, np.concatenate(wanted) if wanted else past.requests[:0])
        past, true, n = past.past, true.past, n + len(past.requests)
    assert true is None
    assert n > 0


def test_a_recording_goes_back() -> None:
    scenario, _ = told("azure", -1)
    past = scenario.workload.past
    stream = past.stream(scenario.world, 0)
    mark = stream.snapshot()
    first = stream.next_chunk()
    assert stream.next_chunk().size == 0
    stream.restore(mark)
    assert np.array_equal(stream.next_chunk(), first)
