"""Episodes side by side: while some are simulated, the policies of the others decide, each in its process."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from enum import Enum
from itertools import islice
from typing import TypeVar

from sageserve_env.env.fleets import Fleets

Outcome = TypeVar("Outcome")

TURNS = 2
"""Groups of episodes that take turns: one is simulated, the others think."""


class Stop(Enum):
    """Where an episode under way stops: its policy was asked something, or its fleet was told what to do next."""

    ASKED = "asked"
    DECIDED = "decided"


Playing = Generator[Stop, None, Outcome]
"""An episode under way."""

Group = dict[Playing[Outcome], Stop]
"""Episodes under way, and where each has stopped."""


def together(fleets: Fleets, episodes: Iterator[Playing[Outcome]]) -> Generator[Outcome, None, None]:
    """Play episodes to their ends; gives what comes of them as they are done.

    Args:
        fleets: In each of which one episode is played at a time.
        episodes: The next one is begun as soon as a fleet is free.
    """
    sizes = [len(fleets.each[turn::TURNS]) for turn in range(min(TURNS, len(fleets.each)))]
    groups: list[Group[Outcome]] = [{} for _ in sizes]
    is_last = False
    try:
        while not is_last or any(groups):
            for group, size in zip(groups, sizes, strict=True):
                begun = dict.fromkeys(islice(episodes, size - len(group)), Stop.DECIDED)
                is_last |= len(group) + len(begun) < size
                group |= begun
                yield from gone_on(group, Stop.ASKED)
                fleets.step()
                yield from gone_on(group, Stop.DECIDED)
    finally:
        for each in [each for group in groups for each in group]:
            each.close()


def gone_on(group: Group[Outcome], stop: Stop) -> Iterator[Outcome]:
    """Let the episodes of a group that have stopped there go on to where they stop next; gives what comes of those that end."""
    for each in [each for each, where in group.items() if where is stop]:
        try:
            group[each] = next(each)
        except StopIteration as end:
            del group[each]
            yield end.value
