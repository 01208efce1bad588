"""The example planner: deterministic, and no worse than the fleet that it could have held."""

from examples import planner


def test_planner_is_deterministic_and_not_worse_than_holding() -> None:
    first, again = (planner.run_planner(hours=2, candidates=4, seed=0) for _ in range(2))
    assert first == again
    assert sum(first.values()) <= sum(planner.run_held(hours=2, seed=0).values())
