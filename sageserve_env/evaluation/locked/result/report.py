"""An evaluation for the terminal: what it comes to, every episode, and what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sageserve_env.evaluation.locked.play.measured import TTFT_P95
from sageserve_env.evaluation.locked.result.record import Evaluation
from sageserve_env.tables import TextTable
from sageserve_env.world.schema import TIERS

DOLLARS = {
    "VMs, $": "vm_usd",
    "waste (provisioning), $": "waste_usd",
    "breaches, $": "breach_usd",
    "breaches": "breaches",
    "VM-hours": "vm_hours",
    "spot VM-hours": "spot_hours",
}
HOURS = {
    "instance-hours, active": "active_h",
    "instance-hours, 15 min peaks": "peak_15min_h",
    "NIW: completion P95, s": "niw_e2e_p95_s",
    "NIW unfinished": "niw_unfinished",
}


def evaluation_tables(*evaluations: Evaluation) -> Iterator[TextTable]:
    """Tables to print, one after the other: of all evaluations together, then of each its days, episodes and failures."""
    yield summary_table(*evaluations)
    for evaluation in evaluations:
        yield day_table(evaluation)
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


def summary_table(*evaluations: Evaluation) -> TextTable:
    """What the episodes come to: a column for each evaluation of a problem."""
    head, names = evaluations[0].head, [each.given for each in evaluations]
    bound = ", a bound that knows the future" if head["policy"]["is_bound"] else ""
    title = f"{head['policy']['given']} on {head['env']}, protocol {head['protocol']}{bound}"
    table = TextTable(title, ["mean of an episode"], names if len(names) > 1 else [""])
    columns = [dict(figures(each)) for each in evaluations]
    for label in dict.fromkeys(label for column in columns for label in column):
        table.add_row(label, *(column.get(label, "–") for column in columns))
    lines = [headline(each.summary) for each in evaluations]
    table.caption = "\n".join(lines if len(names) == 1 else map(": ".join, zip(names, lines, strict=True)))
    return table


def figures(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """What is to be told of an evaluation, by label."""
    found, held_out = evaluation.summary, evaluation.head["held_out"]
    played = f"{found['episodes']} of {held_out}"
    yield "episodes", played if found["is_complete"] else f"{played}: not complete, unranked"
    if "usd" not in found:
        return
    low, high = found["usd_interval"]
    yield "dollars", f"{found['usd']:,.0f} ({low:,.0f} to {high:,.0f})"
    for label, name in DOLLARS.items():
        yield label, f"{found[name]:,.0f}"
    for tier in TIERS:
        yield f"{tier} in time, % (worst)", f"{100 * found['attainment'][tier]:.2f} ({100 * found['attainment_worst'][tier]:.2f})"
    for tier, name in TTFT_P95.items():
        yield f"{tier}: TTFT P95, s", known(found["measured"][name], ",.2f")
    for label, name in HOURS.items():
        yield label, known(found["measured"][name], ",.1f")
    if found["carbon_kg"]:
        yield "carbon, kg", f"{found['carbon_kg']:,.0f}"
    if found["normalised"] is not None:
        scale, (low, high) = found["normalised"], found["normalised"]["interval"]
        yield "between the anchors", f"{scale['score']:.3f}, in {scale['episodes']} episodes"
        yield "interquartile mean", f"{scale['interquartile_mean']:.3f} ({low:.3f} to {high:.3f})"
    yield "slowest decision, s", f"{max(row.times['decision_max_s'] for row in evaluation.rows):.3f}"


def known(value: float | None, form: str) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:{form}}"


def day_table(evaluation: Evaluation) -> TextTable:
    """Every day, over its episodes whatever their perturbation: mean dollars, and service in the worst of them."""
    title = f"Days: {evaluation.given}; service of the worst episode; score between the anchors"
    table = TextTable(title, ["day"], ["held", "dollars", *(f"{tier}, %" for tier in TIERS), "score"])
    for day in evaluation.summary.get("days", ()):
        low, high = day["usd_interval"]
        money = f"{day['usd']:,.0f}" + (f" ({low:,.0f} to {high:,.0f})" if day["episodes"] > 1 else "")
        shares = (f"{100 * day['attainment_worst'][tier]:.2f}" for tier in TIERS)
        table.add_row(day["day"], f"{day['held']} of {day['episodes']}", money, *shares, known(day["normalised"], ".3f"))
    return table


def episode_table(evaluation: Evaluation) -> TextTable:
    """Every episode."""
    table = TextTable(
        f"Episodes: {evaluation.given}",
        ["day", "variant"],
        ["dollars", "VMs, $", *(f"{tier}, %" for tier in TIERS), "held"],
    )
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
    table = TextTable(f"Failed episodes: {evaluation.given}", ["day", "variant", "step", "exception", "message"], [])
    for row in evaluation.rows:
        if row.failure is not None:
            step = str(row.failure.step) if row.failure.step >= 0 else "reset"
            table.add_row(str(row.episode["day"]), str(row.episode["variant"]), step, row.failure.exception, row.failure.message)
    return table
