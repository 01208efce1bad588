import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from baselines import StaticPolicy
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.report import summary_tables
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.sources.globe import globe_week
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import Faults, PlannedOutage, globe, published


def printed(result, width=80):
    console = Console(file=io.StringIO(), width=width)
    for table in summary_tables(result):
        console.print(table)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def result():
    return run_episode(Scenario("slice", published(), O365Week(start_s=126_000.0, duration_s=300.0)), StaticPolicy())


def test_the_tables_fit_a_terminal(result):
    text = printed(result)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_tables_say_what_the_metrics_say(result):
    text, total, fleet = printed(result), result.metrics.total, result.metrics.fleet_total
    for value in (f"{total.arrived:,}", f"{total.ttft_p95_s:.2f}", f"{fleet.active_h:.1f}", f"{fleet.dollars:,.0f}"):
        assert value in text
    assert "IW-F (TTFT ≤ 1 s)" in text
    assert "NIW (done ≤ 24 h)" in text


def test_a_world_that_counts_energy_carbon_and_traffic_shows_them():
    result = run_episode(Scenario("globe", globe(), globe_week(0.0, 300.0, scale=0.02), duration_s=300.0), StaticPolicy())
    text, metrics = printed(result), result.metrics
    assert f"{metrics.fleet_total.energy_kwh:,.1f} kWh at a PUE of 1.2, {metrics.fleet_total.carbon_kg:,.1f} kg" in text
    assert f"{metrics.egress_usd:,.4f} dollars for traffic between regions" in text
    assert metrics.fleet_total.carbon_kg > 0
    np.testing.assert_allclose(result.series["dollars_per_h"] @ result.series["interval_s"] / 3600, metrics.fleet_total.dollars)


def test_a_world_that_does_not_shows_none_of_it(result):
    assert not {"kWh", "PUE", "between regions"} & set(printed(result).split())


def test_what_went_wrong_is_told_where_the_world_has_faults(result):
    assert "outages" not in printed(result)
    faults = Faults(planned_outages=(PlannedOutage("westus", 60.0, 120.0),))
    scenario = Scenario("storm", replace(published(), faults=faults), O365Week(start_s=126_000.0, duration_s=300.0))
    stormy = run_episode(scenario, StaticPolicy())
    text = " ".join(printed(stormy, 100).split())
    assert "0 failures and 0 evictions of VMs, 3.3 VM-hours without them; 1 outages of regions, 120 s in all; " in text
    assert f"{stormy.metrics.total.retried:,} requests lost and sent anew" in text
    assert stormy.metrics.total.retried > 0
    assert max(len(line) for line in printed(stormy).splitlines()) <= 80


def test_a_run_without_requests_shows_dashes():
    scenario = Scenario("idle", published(), O365Week(start_s=0.0, duration_s=1.0, scale=1e-9), duration_s=60.0)
    result = run_episode(scenario, StaticPolicy())
    assert result.metrics.total.arrived == 0
    text = printed(result)
    assert "nan" not in text
    assert "–" in text
