"""What the pages draw, by hand and on invented numbers."""

import json

import numpy as np
import pytest

from sageserve_env.evaluation.runs.series import column_names
from sageserve_env.leaderboard.page.build import ASSETS, HERE, environment, policy_page
from sageserve_env.leaderboard.page.content import Section, groups
from sageserve_env.leaderboard.page.cost import cost_plot, down, served_share
from sageserve_env.leaderboard.page.labels import HEIGHT_PX, WIDTH_PX, is_free, mark_box, name_box, named
from sageserve_env.leaderboard.page.plot import MOST_TICKS, Point, Scale, steps
from sageserve_env.leaderboard.page.recording import Recording
from sageserve_env.leaderboard.page.replayed import replayed
from sageserve_env.leaderboard.page.scores import MOST_LINES, profile_plot
from sageserve_env.leaderboard.tables.standings import ranking
from sageserve_env.scenarios import load_problem
from tests.leaderboard.page.pages import crowded, table_of
from tests.leaderboard.page.test_build import EPISODE_BYTES, INDEX_BYTES

SAMPLES = 288

ASSETS_BYTES = sum(path.stat().st_size for path in (HERE / ASSETS).iterdir())
"""Of what pages share."""


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.7), (-1.0, 1.0), (0.0, 26_000.0), (0.0, 1e-3)])
def test_ticks_are_round_few_and_within(low, high):
    ticks = Scale(low, high).ticks()
    assert 3 <= len(ticks) <= MOST_TICKS + 1
    assert low - 1e-9 <= ticks[0]
    assert ticks[-1] <= high + 1e-9
    assert np.ptp(np.diff(ticks)) < 1e-9 * high


def test_a_logarithmic_scale_has_powers_of_ten():
    scale = Scale(0.1, 1000.0, is_log=True)
    assert scale.ticks() == pytest.approx([0.1, 1.0, 10.0, 100.0, 1000.0])
    assert scale(np.array([0.1, 10.0, 1000.0, 0.0, 1e9])).tolist() == pytest.approx([0.0, 0.5, 1.0, 0.0, 1.0])


def test_steps_leave_gaps_where_nothing_was_measured():
    edges = np.linspace(0, 1, 6)
    assert steps(edges, np.array([np.nan, 0.5, 0.5, np.nan, 1.0])) == "M200 500H600M800 0H1000"
    assert steps(edges, np.full(5, np.nan)) == ""
    assert steps(edges, np.array([np.nan, 0.5, 0.5, np.nan, 1.0]), is_area=True) == "M200 1000V500H600V1000ZM800 1000V0H1000V1000Z"


def test_names_cover_nothing():
    rng = np.random.default_rng(0)
    points = [Point(f"policy-{n}", "ranked", *rng.uniform(0, 100, 2), "", "") for n in range(40)]
    found = named(points)
    labelled = [(point, name_box(point, point.label)) for point in found if point.label is not None]
    assert 10 < len(labelled) < 40
    for point, box in labelled:
        others = [mark_box(each) for each in found if each is not point] + [other for each, other in labelled if each is not point]
        assert is_free(box, others)
    assert named([Point("alone", "ranked", 99.0, 50.0, "", "")])[0].label == (-9, 4, "end")
    assert (WIDTH_PX, HEIGHT_PX) == (440.0, 330.0)


def test_the_figure_of_cost_is_the_tables(section):
    found = section.found
    plot = cost_plot(found, "mini")
    points = {point.name: point for point in plot.points}
    assert len(points) == len(found.standings)
    assert {name: points[name].look for name in ("fast", "mine", "hindsight")} == {
        "fast": "ranked",
        "mine": "infeasible",
        "hindsight": "bound",
    }
    assert points["serve-nothing"].x == 0
    assert points["fast"].y == 0  # no request is late
    mine = next(each for each in found.standings if each.name == "mine")
    assert points["mine"].y == down(1 - served_share(mine))
    assert points["slow"].x > points["fast"].x > points["hindsight"].x > points["mine"].x


def test_profiles_are_exact_and_few(section):
    plot = profile_plot(section.found, "mini")
    paths = {curve.name: curve.path for curve in plot.curves}
    assert list(paths) == ["fast", "slow", "reactive-tuned"]  # who holds every level
    assert paths["fast"] == "M0 0H600V1000H1000"
    assert paths["slow"] == "M0 0H200V1000H1000"
    assert paths["reactive-tuned"] == "M0 1000H1000"
    many = profile_plot(crowded(section.found, 30), "mini")
    assert len(many.curves) == MOST_LINES


def test_without_anchors_there_are_no_profiles(whole):
    assert profile_plot(ranking(table_of(whole)), "mini") is None


def test_pages_of_many_entries_are_small(section):
    """Sixty entries on a problem, and nine such problems in the index."""
    found = crowded(section.found, 60)
    submissions = {each.name: section.place("fast").submission for each in found.standings}
    crowd = Section(section.problem, found, list(groups(found, submissions)), {})
    templates = environment()
    names = sorted(submissions)
    index = templates.get_template("index.html").render(sections=[crowd] * 9, root="", names=names, old=[])
    plots = {"cost": cost_plot(found, "mini"), "profile": profile_plot(found, "mini")}
    problem = templates.get_template("problem.html").render(sections=[crowd] * 9, root="", section=crowd, **plots)
    assert len(names) > 60
    assert len(index.encode()) + ASSETS_BYTES <= INDEX_BYTES
    assert len(problem.encode()) + ASSETS_BYTES <= INDEX_BYTES


def test_the_page_of_the_largest_world_is_small(section):
    """Globe's six regions and four models, with a day's samples that jump about."""
    world, rng = load_problem("globe").world(), np.random.default_rng(0)
    series = {name: rng.uniform(0.0, 40.0, SAMPLES) for name in column_names(world)}
    for name in series:
        if name.startswith("utilization/"):
            series[name] /= 40.0
    series["time_s"], series["interval_s"] = np.arange(1, SAMPLES + 1) * 300.0, np.full(SAMPLES, 300.0)
    spent = {name: np.cumsum(rng.uniform(0.0, 99.0, SAMPLES)) for name in ("vm_usd", "breach_usd", "egress_usd", "carbon_usd")}
    path, name, told = policy_page(section, section.place("fast"), Recording(world, 0.0, series, spent))
    page = environment().get_template(name).render(sections=[section], root="../", **told)
    assert path == "mini/fast.html"
    assert len(told["replay"].data["fleet"]["active"]) == 4
    assert len(page.encode()) + ASSETS_BYTES <= EPISODE_BYTES


def test_the_fleet_at_the_slider_is_the_series():
    world = load_problem("globe").world()
    names = column_names(world)
    series = {name: np.full(2, float(number)) for number, name in enumerate(names)}
    series["time_s"], series["interval_s"] = np.array([300.0, 600.0]), np.full(2, 300.0)
    spent = {name: np.array([1.0, 2.0]) for name in ("vm_usd", "breach_usd", "egress_usd", "carbon_usd")}
    found = replayed(Recording(world, 86_400.0, series, spent))
    data = found.data
    model, region = world.models[2].name, world.regions[1].name
    at = {kind: series[f"{kind}/{region}/{model}/{world.pools[0].name}"][1] for kind in ("active", "provisioning", "waiting")}
    assert len(world.pools) == 1
    assert {kind: data["fleet"][kind][2][1][1] for kind in at} == at
    assert data["times"] == ["Tue 00:05", "Tue 00:10"]
    assert found.interval == "5 minutes"
    assert [len(readouts) for readouts in data["readouts"]] == [len(plot.curves) for plot in found.plots]
    assert json.loads(json.dumps(data)) == data
