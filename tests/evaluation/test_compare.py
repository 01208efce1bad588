import csv
import math
from dataclasses import replace

import pytest
from rich.console import Console

from baselines import ReactivePolicy, StaticPolicy
from sageserve_env.env.rewards import BREACH_PRICES_USD
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import prepared
from sageserve_env.evaluation.runs.compare import (
    COLUMNS,
    FOOTPRINT_COLUMNS,
    compare,
    comparison_tables,
    cost_usd,
    figures_of,
    plot_comparison,
    write_table,
)
from sageserve_env.scenarios import Scenario
from sageserve_env.workload import load_workload
from sageserve_env.workload.sources.globe import globe_week
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import globe, load_world, published

SCENARIO = Scenario("slice", published(instances=3), O365Week(start_s=126_000.0, duration_s=600.0, scale=4.0))


class Bound:
    """Asks for a fleet of its own, and is shown the future; notes in which order it is called."""

    def __init__(self):
        self.calls = []
        self.held = StaticPolicy()

    def prepare(self, world):
        self.calls.append("prepare")
        return replace(world, pools=published(instances=2).pools)

    def foresee(self, workload, seed):
        self.calls.append(("foresee", workload is SCENARIO.workload, seed))

    def reset(self, scenario, rng):
        self.calls.append("reset")
        self.held.reset(scenario, rng)

    def decide(self, telemetry):
        return self.held.decide(telemetry)


@pytest.fixture(scope="module")
def results():
    return compare(SCENARIO, {"held": StaticPolicy(), "reactive": ReactivePolicy()}, seed=3)


def test_all_meet_the_same_traffic_and_runs_repeat(results):
    again = compare(SCENARIO, {"reactive": ReactivePolicy(), "held": StaticPolicy()}, seed=3)
    for name, result in results.items():
        assert again[name].metrics.to_dict() == result.metrics.to_dict()
    one, other = (result.metrics.total for result in results.values())
    assert (one.arrived, one.arrived_prompt_tokens) == (other.arrived, other.arrived_prompt_tokens)
    assert list(again) == ["reactive", "held"]


def test_a_policy_may_ask_for_a_fleet_and_a_bound_sees_the_seed():
    bound = Bound()
    result = compare(SCENARIO, {"bound": bound}, seed=3)["bound"]
    assert bound.calls == ["prepare", ("foresee", True, 3), "reset"]
    assert result.world.pools == published(instances=2).pools
    assert result.metrics.fleet_total.active == 24
    assert prepared(StaticPolicy(), SCENARIO, 3) is SCENARIO


def test_costs_are_vms_and_avoidable_breaches(results):
    for result in results.values():
        breaches = [row.slo_missed - row.unattainable for row in result.metrics.service_by("tier")]
        assert breaches[0] > 0
        expected = sum(price * count for price, count in zip(BREACH_PRICES_USD, breaches, strict=True))
        values = figures_of(result)
        assert values["breach_usd"] == expected
        assert values["total_usd"] == cost_usd(result) == result.metrics.fleet_total.dollars + expected
        assert list(values) == list(COLUMNS)


def test_the_table_has_a_row_for_each_and_fits_100_columns(results):
    named = {**results, "lt-ua:initial_instances=8:forecaster=seasonal-naive": results["held"]}
    console = Console(width=100)
    with console.capture() as captured:
        console.print(*comparison_tables(named))
    text = captured.get()
    assert "…" not in text
    assert "held" in text
    assert f"{results['reactive'].metrics.fleet_total.active_h:.1f}" in text


def test_a_world_that_counts_energy_carbon_and_traffic_has_them_in_table_file_and_total(tmp_path):
    results = compare(Scenario("globe", globe(), globe_week(0.0, 300.0, scale=0.02)), {"held": StaticPolicy()})
    values = figures_of(results["held"])
    assert list(values) == [*COLUMNS, *FOOTPRINT_COLUMNS]
    assert values["carbon_usd"] == pytest.approx(values["carbon_kg"] / 10)
    assert values["total_usd"] == pytest.approx(sum(values[f"{name}_usd"] for name in ("vm", "breach", "carbon", "egress")))
    console = Console(width=100)
    with console.capture() as captured:
        console.print(*comparison_tables(results))
    assert "Their footprint" in captured.get()
    write_table(results, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").startswith("policy,instance_h,")


def test_the_csv_file_has_the_same_figures(results, tmp_path):
    write_table(results, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row.pop("policy") for row in rows] == list(results)
    for row, result in zip(rows, results.values(), strict=True):
        assert {name: float(value) for name, value in row.items()} == figures_of(result)


def test_the_figure(results, tmp_path):
    path = plot_comparison(results, tmp_path / "c.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_tier_without_requests_is_not_a_number():
    scenario = Scenario("empty", published(instances=2), O365Week(duration_s=60.0, scale=1e-9))
    values = figures_of(compare(scenario, {"held": StaticPolicy()})["held"])
    assert math.isnan(values["iw_f_met_pct"])
    assert math.isnan(values["iw_ttft_p95_s"])


def test_time_per_token_is_shown_where_a_world_has_such_a_level(results, tmp_path):
    scenario = Scenario("modern", load_world("modern"), load_workload("modern-hour").slice(0, 60), duration_s=120.0)
    modern = compare(scenario, {"held": StaticPolicy()}, resolution_s=120.0)
    rows = {row.tier: row for row in modern["held"].metrics.service_by("tier")}
    slower_s = max(rows["IW-F"].tpot_p95_s, rows["IW-N"].tpot_p95_s)
    tpot = {name: column.item() for name, column in modern["held"].series.items() if name.startswith("tpot_p95_s")}
    assert tpot == {
        f"tpot_p95_s/{tier.name}": rows[tier.name].tpot_p95_s for tier in scenario.world.tiers if tier.tpot_s is not None
    }
    assert figures_of(modern["held"])["iw_tpot_p95_s"] == slower_s > 0
    for some, is_shown in ((modern, True), (results, False)):
        console = Console(width=100)
        with console.capture() as captured:
            console.print(*comparison_tables(some))
        assert ("TPOT" in captured.get()) == is_shown
        assert any(name.startswith("tpot") for name in some["held"].series) == is_shown


def test_nothing_to_compare():
    with pytest.raises(InputError, match="nothing to compare"):
        compare(SCENARIO, {})
