"""An evaluation for the terminal: what it comes to, every episode, and what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sageserve_env.evaluation.locked.record import Evaluation
from sageserve_env.tables import TextTable
from sageserve_env.world.schema import TIERS


def evaluation_tables(evaluation: Evaluation) -> Iterator[TextTable]:
    """Tables to print, one after the other."""
    yield summary_table(evaluation)
    yield episode_table(evaluation)
    if any(row.failure is not None for row in evaluation.rows):
        yield failure_table(evaluation)


def headline(found: dict[str, Any]) -> str:
    """The one line: where the policy stands, or why it stands nowhere."""
    if found["failed"]:
        return f"unranked: {found['failed']} of {found['episodes']} episodes failed"
    if not found["episodes"]:
        return "no episode was played"
    normalised, money = found["normalised"], f"{found['usd']:,.0f} $"
    if not found["is_feasible"]:
        missed = ", ".join(f"{tier} {share:.2%}" for tier, share in found["missed"].items())
        full = f"{found['overfull']} episodes overfull" if found["overfull"] else ""
        return f"infeasible: {'; '.join(filter(None, (missed and f'{missed} in the worst episode', full)))}; {money}"
    if normalised is None:
        return f"feasible: {money}; no anchors are known"
    place = f"{normalised['score']:.3f} between tuned reactive (0) and hindsight (1)"
    return f"feasible: {money}; {place} in the {normalised['episodes']} episodes that have both"


def summary_table(evaluation: Evaluation) -> TextTable:
    """What the episodes come to."""
    head, found = evaluation.head, evaluation.summary
    bound = ", a bound that knows the future" if head["policy"]["is_bound"] else ""
    table = TextTable(
        f"{head['policy']['given']} on {head['env']}, protocol {head['protocol']}{bound}", ["mean of an episode"], [""]
    )
    played = f"{found['episodes']} of {head['held_out']}"
    table.add_row("episodes", played if found["is_complete"] else f"{played}: not complete, unranked")
    if "usd" in found:
        low, high = found["usd_interval"]
        table.add_row("dollars", f"{found['usd']:,.0f} ({low:,.0f} to {high:,.0f})")
        for label, name in (
            ("VMs, $", "vm_usd"),
            ("breaches, $", "breach_usd"),
            ("breaches", "breaches"),
            ("VM-hours", "vm_hours"),
        ):
            table.add_row(label, f"{found[name]:,.0f}")
        for tier in TIERS:
            table.add_row(
                f"{tier} in time, % (worst)", f"{100 * found['attainment'][tier]:.2f} ({100 * found['attainment_worst'][tier]:.2f})"
            )
        if found["normalised"] is not None:
            scale, (low, high) = found["normalised"], found["normalised"]["interval"]
            table.add_row("between the anchors", f"{scale['score']:.3f}, in {scale['episodes']} episodes")
            table.add_row("interquartile mean", f"{scale['interquartile_mean']:.3f} ({low:.3f} to {high:.3f})")
        slowest = max(row.times["decision_max_s"] for row in evaluation.rows)
        table.add_row("slowest decision, s", f"{slowest:.3f}")
    table.caption = headline(found)
    return table


def episode_table(evaluation: Evaluation) -> TextTable:
    """Every episode."""
    table = TextTable("Episodes", ["day", "variant"], ["dollars", "VMs, $", *(f"{tier}, %" for tier in TIERS), "held"])
    for row in evaluation.rows:
        score = row.score
        cells = ["failed", "–", *("–" for _ in TIERS), "–"]
        if row.failure is None:
            shares = (f"{100 * score.attainment[tier]:.2f}" for tier in TIERS)
            cells = [f"{score.usd:,.0f}", f"{row.terms['vm_usd']:,.0f}", *shares, "yes" if score.is_feasible else "no"]
        table.add_row(str(row.episode["day"]), str(row.episode["variant"]), *cells)
    return table


def failure_table(evaluation: Evaluation) -> TextTable:
    """What failed, and how."""
    table = TextTable("Failed episodes", ["day", "variant", "step", "exception", "message"], [])
    for row in evaluation.rows:
        if row.failure is not None:
            step = str(row.failure.step) if row.failure.step >= 0 else "reset"
            table.add_row(str(row.episode["day"]), str(row.episode["variant"]), step, row.failure.exception, row.failure.message)
    return table
