"""Episodes side by side: who goes on when, who ends when, and what is left when it is broken off."""

import pytest

from sageserve_env.evaluation.locked.play.together import Playing, Stop, together


class Fleets:
    """Counts its steps."""

    def __init__(self, n: int, told: list[str]) -> None:
        self.each, self.told = list(range(n)), told

    def step(self) -> None:
        self.told.append("step")


def playing(name: str, steps: int, told: list[str]) -> Playing[str]:
    """An episode that says what happens to it."""
    try:
        for step in range(steps):
            told.append(f"{name} asks {step}")
            yield Stop.ASKED
            told.append(f"{name} has {step}")
            yield Stop.DECIDED
        return name
    finally:
        told.append(f"{name} ends")


def test_while_one_is_simulated_the_other_has_been_asked() -> None:
    told: list[str] = []
    assert list(together(Fleets(2, told), iter([playing("a", 2, told), playing("b", 1, told)]))) == ["b", "a"]
    assert told == [
        *("step", "a asks 0", "step", "b asks 0"),
        *("a has 0", "step", "a asks 1", "b has 0", "step", "b ends"),
        *("a has 1", "step", "a ends", "step"),
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("n_episodes", [0, 1, 4, 7])
def test_each_episode_is_played_to_its_end(n: int, n_episodes: int) -> None:
    told: list[str] = []
    names = [str(number) for number in range(n_episodes)]
    rows = together(Fleets(n, told), (playing(name, 1 + int(name) % 3, told) for name in names))
    assert sorted(rows) == names
    assert sum("ends" in each for each in told) == n_episodes


def test_what_is_under_way_is_closed_when_it_is_broken_off() -> None:
    told: list[str] = []
    rows = together(Fleets(4, told), (playing(str(number), 1 + number, told) for number in range(10)))
    assert next(rows) == "0"
    rows.close()
    assert {each for each in told if "ends" in each} == {f"{number} ends" for number in range(4)}


def test_one_that_raises_ends_all() -> None:
    told: list[str] = []

    def breaks() -> Playing[str]:
        yield Stop.ASKED
        raise RuntimeError

    with pytest.raises(RuntimeError):
        list(together(Fleets(2, told), iter([playing("a", 9, told), breaks()])))
    assert told[-1] == "a ends"
