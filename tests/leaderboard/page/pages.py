"""What the tests of the pages share: a board with rows of every kind, and pages as parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

from sageserve_env.leaderboard.tables.standings import Ranking, Standing
from sageserve_env.leaderboard.tables.table import VerifiedEntry, VerifiedTable, read_table
from sageserve_env.leaderboard.tables.tree import write_tables
from sageserve_env.leaderboard.verify import verify
from tests.leaderboard.sample import ID, Sample, enter, grows

NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)> & more'

USD = {"fast": 700.0, "slow": 900.0, "reactive-tuned": 1000.0, "hindsight": 500.0}
"""Dollars of an episode in the invented rows, all of them feasible, by entry."""


def varied(sample: Sample) -> Sample:
    """Enter more, one with a nasty description, and invent numbers for some: replays are of logs, tables of numbers.

    One tells what its decisions took.
    """
    board = sample.board()
    for size, name in enumerate(USD, -2):
        enter(board, name, grows(size), kind="bound" if name == "hindsight" else "agent", who=NASTY, about=NASTY)
    found = verify(board)
    write_tables(board, found.tables)
    table = found.tables[ID]
    invented(table, USD).write(board.table_file(ID))
    sample.say("    command:", "    decision_ms: {mean: 0.42, most: 12.5}\n    command:")
    return sample


def invented(table: VerifiedTable, usd: dict[str, float]) -> VerifiedTable:
    """A table in which some entries hold every level, at so many dollars and a little more with each episode."""
    rows = tuple(cheap(entry, usd[entry.name]) if entry.name in usd else entry for entry in table.entries)
    return replace(table, entries=rows)


def crowded(found: Ranking, count: int) -> Ranking:
    """Standings with as many more, feasible ones and others, of long names."""
    ranked = [alias(found.ranked[n % 3], f"a-policy-of-some-team-number-{n}") for n in range(0, count, 2)]
    late = [alias(found.infeasible[n % 4], f"another-policy-of-a-team-number-{n}") for n in range(1, count, 2)]
    return replace(found, ranked=(*found.ranked, *ranked), infeasible=(*found.infeasible, *late))


def alias(standing: Standing, name: str) -> Standing:
    """The same under another name."""
    return replace(standing, entry=replace(standing.entry, name=name))


def cheap(entry: VerifiedEntry, usd: float) -> VerifiedEntry:
    """An entry whose episodes have no breach, and cost so much for VMs."""
    episodes = []
    for number, each in enumerate(entry.episodes):
        breaches = {name: 0.0 for name in each.terms if name.startswith("breach")}
        episodes.append(replace(each, terms={**each.terms, **breaches, "vm_usd": usd + number}))
    return replace(entry, episodes=tuple(episodes))


def table_of(sample: Sample) -> VerifiedTable:
    return read_table(sample.root / "verified" / "mini.json")


@dataclass
class Parsed(HTMLParser):
    """The elements of a page, its ids and its text."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]

    def ids(self) -> set[str | None]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def targets(self) -> Iterator[str]:
        """What the page links to or loads."""
        for _, attributes in self.tags:
            yield from (
                attributes[name] or "" for name in ("href", "src", "srcset", "data", "poster", "action") if name in attributes
            )


def parsed(path: Path) -> Parsed:
    return Parsed(path.read_text(encoding="utf-8"))


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def weight(path: Path) -> int:
    """Bytes of a page with all that it loads."""
    page = parsed(path)
    loaded = [each["src"] for each in page.named("script") if each.get("src")]
    loaded += [each["href"] for each in page.named("link") if each["rel"] == "stylesheet"]
    return path.stat().st_size + sum((path.parent / str(target)).stat().st_size for target in loaded)
