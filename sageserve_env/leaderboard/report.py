"""A leaderboard for the terminal: what is wrong with it, and where the entries stand."""

from __future__ import annotations

from collections.abc import Sequence

from sageserve_env.leaderboard.finding import KINDS, Finding
from sageserve_env.leaderboard.tables.standings import Ranking, Standing
from sageserve_env.leaderboard.verify import Verification
from sageserve_env.tables import TextTable
from sageserve_env.world.schema import TIERS


def findings_table(findings: Sequence[Finding]) -> TextTable:
    """What is wrong."""
    table = TextTable("What is wrong", ["where", "kind", "what"], [])
    for each in findings:
        table.add_row(each.where, each.kind, each.message)
    table.caption = "\n".join(f"{kind}: {KINDS[kind]}" for kind in sorted({each.kind for each in findings}))
    return table


def verified_table(found: Verification) -> TextTable:
    """What was verified."""
    table = TextTable("Verified", ["id"], ["entries", "episodes", "replayed"])
    for env, rows in found.tables.items():
        table.add_row(
            env, str(len(rows.entries)), str(sum(len(entry.episodes) for entry in rows.entries)), str(found.replayed[env])
        )
    old = ", ".join(f"{name} ({env})" for name, env in found.old)
    table.caption = f"{found.simulated_s:.1f} s of replays" + (f"; in frozen tables only: {old}" if old else "")
    return table


def ranking_table(found: Ranking, title: str) -> TextTable:
    """Where the entries stand."""
    numbers = ["dollars", "95 %", "score", "95 % of\nits mean", *(f"{tier},\nworst" for tier in TIERS)]
    table = TextTable(title, ["place", "tier", "policy"], numbers, gap=0)
    for each in found.standings:
        table.add_row(place_of(each), "" if each.tier is None else str(each.tier), each.name, *figures_of(each))
    scale = "score: between tuned reactive (0) and hindsight (1); policies of one tier cannot be told apart"
    table.caption = f"{scale}\n* a bound, never ranked; ! below its level"
    return table


def place_of(standing: Standing) -> str:
    """The place; a star for bounds, and nothing for what misses a level."""
    return "*" if standing.entry.is_bound else "–" if standing.place is None else str(standing.place)


def figures_of(standing: Standing) -> list[str]:
    """Dollars and score with their intervals, and the worst attainment of each tier, marked where it misses its level."""
    found, scaled = standing.figures, standing.figures["normalised"]
    low, high = found["usd_interval"]
    cells = [f"{found['usd']:,.0f}", f"{low:,.0f}–{high:,.0f}"]
    cells += ["–", "–"] if scaled is None else [f"{scaled['score']:.3f}", "{:.2f}–{:.2f}".format(*scaled["interval"])]
    missed = found["missed"]
    return cells + [f"{share:.1%}{'!' if tier in missed else ''}" for tier, share in found["attainment_worst"].items()]
