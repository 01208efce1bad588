"""Where entries stand: by hand, and by the statistics of the protocol."""

import numpy as np
import pytest
from rich.console import Console

from sageserve_env.env.rewards import TERMS
from sageserve_env.evaluation.statistics import tiers
from sageserve_env.leaderboard.report import ranking_table
from sageserve_env.leaderboard.rules import columns, null_findings
from sageserve_env.leaderboard.tables.standings import Ranking, ranking
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedEpisode, VerifiedTable

EPISODES = 8


def entry(name: str, usd: float, late: int = 0, kind: str = "agent", spread: float = 0.0) -> VerifiedEntry:
    """Episodes of so many dollars each, with so many of a hundred IW-F late."""
    episodes = []
    for number in range(EPISODES):
        terms = dict.fromkeys(TERMS, 0.0) | {
            "vm_usd": usd + spread * (-1) ** number,
            "breaches_iw_f": late,
            "attainable_iw_f": 100.0,
        }
        episodes.append(VerifiedEpisode(f"day-{number % 4}", number // 4, 3, False, terms, {}, "a", "b"))
    return VerifiedEntry(name, kind, "team", "0.1.0", {}, tuple(episodes))


def table(*entries: VerifiedEntry) -> VerifiedTable:
    return VerifiedTable("SageServe/Mini-v0", "mini", "v1", "p", "d", 2025, EPISODES, entries)


ENTRIES = (
    entry("reactive-tuned", 100.0, kind="reference"),
    entry("hindsight", 50.0, kind="bound"),
    entry("good", 60.0, spread=3.0),
    entry("as-good", 60.5),
    entry("late", 10.0, late=20),
    entry("later", 5.0, late=30),
)


@pytest.fixture(scope="module")
def found() -> Ranking:
    """The ranking of the entries."""
    return ranking(table(*ENTRIES))


def test_feasible_policies_come_first_in_tiers_and_bounds_last(found) -> None:
    assert [(each.name, each.place, each.tier) for each in found.standings] == [
        ("good", 1, 1),
        ("as-good", 2, 1),
        ("reactive-tuned", 3, 2),
        ("late", None, None),
        ("later", None, None),
        ("hindsight", None, None),
    ]
    usd = [[each.score.usd for each in standing.entry.episodes] for standing in found.ranked]
    assert [each.tier for each in found.ranked] == tiers(-np.array(usd)).tolist()


def test_dollars_lie_between_the_anchors_which_are_entries(found) -> None:
    found = {each.name: each.figures for each in found.standings}
    assert found["good"]["normalised"]["score"] == 0.8
    assert found["reactive-tuned"]["normalised"]["score"] == 0.0
    assert found["hindsight"]["normalised"]["score"] == 1.0
    assert found["late"]["missed"] == {"IW-F": 0.8}
    without = {each.name: each.figures for each in ranking(table(ENTRIES[2])).standings}
    assert without["good"]["normalised"] is None


def leading_nulls(board, *entries: VerifiedEntry) -> list[str]:
    return [each.message.partition(" leads the column ")[::2] for each in null_findings(board, table(*entries))]


def test_a_null_leads_where_it_beats_all_that_is_of_use(whole) -> None:
    """Even where two nulls are equal; a policy that ties with them is enough, and bounds do not count."""
    board = whole.board()
    nulls = entry("hold", 60.0), entry("most-fleet", 60.0)
    assert leading_nulls(board, *ENTRIES, *nulls) == []
    assert leading_nulls(board, entry("good", 60.0), *nulls) == []
    told = leading_nulls(board, entry("good", 61.0), entry("hindsight", 50.0, kind="bound"), *nulls)
    assert {leader for leader, _ in told} == {"'hold'"}
    found = [column.partition("'; ")[0].strip("'") for _, column in told]
    assert found == ["dollars", "dollars of feasible policies", *(f"dollars of day-{number}" for number in range(4))]
    assert leading_nulls(board, entry("late", 10.0, late=20), *nulls)[0][1].startswith("'dollars of feasible policies'")


def test_columns_are_of_money_and_service_together() -> None:
    found = columns(table(*ENTRIES))
    assert min(found["dollars"], key=found["dollars"].get) == "later"
    assert found["interquartile mean"]["good"] == pytest.approx(-0.8)
    assert found["score"]["good"] == 60.0
    assert set(found["dollars of feasible policies"]) == {"good", "as-good", "reactive-tuned"}
    assert "hindsight" not in found["dollars"]


def test_the_table_shows_places_intervals_and_what_is_missed(found) -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(ranking_table(found, "title"))
    text = captured.get()
    for cell in ("good", "0.800", "80.0%!", "60–60", "hindsight"):
        assert cell in text
