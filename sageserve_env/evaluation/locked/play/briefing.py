"""What a controller is told before an episode: the world, the clock, and what came before; nothing of what will come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sageserve_env.scenarios import Episode, Problem
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.workload.drawn.generated import IntensityWorkload
from sageserve_env.workload.drawn.intensity import Intensity
from sageserve_env.workload.play import NO_REQUESTS, play
from sageserve_env.workload.request import Chunk, Workload
from sageserve_env.world.schema import World


@dataclass(frozen=True)
class Recorded:
    """Requests in one array.

    Attributes:
        name: Shown in reports.
        duration_s: Length in seconds.
        requests: Of dtype ``REQUEST_DTYPE``, in order.
        past: What came before.
    """

    name: str
    duration_s: float
    requests: Chunk
    past: Workload | None = None

    def stream(self, world: World, seed: int) -> RecordedStream:
        """Start playing; the seed changes nothing."""
        return RecordedStream(self.requests.copy())


class RecordedStream:
    """Gives all at once."""

    def __init__(self, requests: Chunk) -> None:
        self._left = requests

    def next_chunk(self) -> Chunk:
        """The requests, then none."""
        given, self._left = self._left, NO_REQUESTS
        return given

    def snapshot(self) -> Chunk:
        """What is left."""
        return self._left

    def restore(self, snapshot: Chunk) -> None:
        """Go to a position."""
        self._left = snapshot


def briefing(problem: Problem, episode: Episode, seed: int) -> dict[str, Any]:
    """The arguments of the ``Scenario`` that a controller may know: it is made, and checked, where it is told.

    Its workload has the past of the episode's, and for what arrives the requests of the first train day at their mean rates, from
    which controllers learn how large requests are. Where the traffic is a recorded trace, it has no requests at all.

    Args:
        problem: The problem.
        episode: What is played.
        seed: Of the labels of a past that is a trace.
    """
    world, usual = problem.world(), problem.source.play(problem.split("train").windows[0], Perturbation())
    past = told_past(episode.workload, world, seed)
    workload: Any
    if isinstance(usual, IntensityWorkload):
        intensity = flat(usual.folded(0), episode.horizon_s)
        workload = IntensityWorkload(problem.name, intensity, week_start_s=episode.week_start_s, past=past)
    else:
        workload = Recorded(problem.name, episode.horizon_s, NO_REQUESTS, past)
    return {
        "name": problem.name,
        "world": world,
        "workload": workload,
        "control_interval_s": problem.control_interval_s,
        "duration_s": episode.horizon_s,
    }


def told_past(workload: Workload, world: World, seed: int) -> Any:
    """The past of a workload, and the past of that, cut loose from what they are parts of; None where there is none."""
    past = getattr(workload, "past", None)
    if past is None:
        return None
    before = told_past(past, world, seed)
    if isinstance(past, IntensityWorkload):
        return IntensityWorkload("past", past.folded(seed), week_start_s=past.week_start_s, past=before)
    stream, chunks = play(past, world, seed), []
    while (chunk := stream.next_chunk()).size:
        chunks.append(chunk)
    return Recorded("past", past.duration_s, np.concatenate(chunks) if chunks else NO_REQUESTS, before)


def flat(intensity: Intensity, duration_s: float) -> Intensity:
    """The series of an intensity at their mean rates, one bin of a length."""
    seconds = np.diff(intensity.edges)
    rate = intensity.expected() / intensity.duration_s
    tokens = (intensity.rate * intensity.prompt_factor * seconds).sum(axis=1)
    factor = np.divide(tokens, intensity.expected(), where=rate > 0, out=np.ones_like(rate))
    return Intensity.renewal(intensity.series, np.array([0.0, duration_s]), rate[:, None], 1.0, factor[:, None])
