"""The pages of a board: whole, small, closed to the outside, and true to their tables and logs."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sageserve_env.errors import InputError
from sageserve_env.extras import MissingExtra
from sageserve_env.leaderboard.page import build as building
from sageserve_env.leaderboard.page.build import build
from sageserve_env.leaderboard.page.content import sections
from sageserve_env.leaderboard.page.recording import record
from sageserve_env.leaderboard.tables.tree import write_tables
from tests.cli.helpers import sageserve
from tests.leaderboard.page.pages import NASTY, USD, pages, parsed, table_of, weight
from tests.leaderboard.sample import MINE, short

INDEX_BYTES, EPISODE_BYTES = 150_000, 400_000


def test_there_is_a_page_for_the_board_each_problem_and_each_policy(site, board):
    names = [entry.name for entry in table_of(board).entries]
    expected = ["index.html", "mini.html", *(f"mini/{name}.html" for name in names)]
    assert sorted(path.relative_to(site).as_posix() for path in pages(site)) == sorted(expected)


def test_links_resolve(site):
    for path in pages(site):
        for target in parsed(path).targets():
            if target == "data:,":
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            assert there.is_file(), f"{path.name} leads to {target}"
            assert there.is_relative_to(site.resolve())
            assert not anchor or anchor in parsed(there).ids(), f"{path.name} leads to {target}"


def test_nothing_comes_from_elsewhere(site):
    for path in [*pages(site), *(site / "assets").iterdir()]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z0-9.-]+\.[a-z]|@import|@font-face|fetch\(|XMLHttpRequest|url\(", text), path.name
    for path in pages(site):
        policies = [each["content"] for each in parsed(path).named("meta") if each.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1
        assert str(policies[0]).startswith("default-src 'none';")


def test_pages_are_small(site):
    assert weight(site / "index.html") <= INDEX_BYTES
    assert weight(site / "mini.html") <= INDEX_BYTES
    assert max(map(weight, (site / "mini").iterdir())) <= EPISODE_BYTES


def test_what_a_submission_says_is_text(site):
    page = parsed(site / "mini" / "fast.html")
    assert NASTY in page.words
    assert page.named("img") == []
    scripts = page.named("script")
    assert [each for each in scripts if "src" not in each] == [{"type": "application/json", "id": "replay-data"}]
    assert not [tag for tag, attributes in page.tags if any(name.startswith("on") for name in attributes)]


def test_decision_times_are_the_submitters(site):
    mine, other = (parsed(site / "mini" / f"{name}.html").words for name in ("mine", "other"))
    assert "0.42 ms in the mean, 12.5 ms at most; measured by the submitter, not verified" in mine
    assert "Decision time" in mine
    assert "Decision time" not in other


def test_the_slider_begins_at_the_most_traffic_without_scripts(site):
    words = parsed(site / "mini" / "mine.html").words
    data = json.loads(next(word for word in words if word.startswith('{"times"')))
    assert {"Fri 09:10", "+1"} <= set(words)
    assert [region[0] for region in data["fleet"]["provisioning"][0]] == [1, 1, 1]


def test_elements_are_what_they_are_for(site):
    for path in pages(site):
        page = parsed(path)
        assert [len(page.named(name)) for name in ("main", "h1", "header", "footer")] == [1, 1, 1, 1]
        assert len(page.named("caption")) == len(page.named("table")) >= 1
        assert all("scope" in each for each in page.named("th"))
        drawings = [each for each in page.named("svg") if str(each.get("class")).startswith(("axes", "swatch"))]
        assert all(each.get("aria-hidden") or each.get("aria-label") for each in drawings)
    sortable = [each for each in parsed(site / "mini.html").named("th") if "aria-sort" in each]
    assert [each["aria-sort"] for each in sortable] == ["ascending"]


def test_rows_stand_in_their_groups(site):
    text = (site / "mini.html").read_text(encoding="utf-8")
    ranked, rest = text.split("Policies that miss a level")
    infeasible, bounds = rest.split("Bounds, which know the future")
    assert re.findall(r'href="mini/([a-z-]+).html">\1', ranked.partition("<tbody>")[2]) == ["fast", "slow", "reactive-tuned"]
    assert set(re.findall(r'href="mini/([a-z-]+).html">\1', infeasible)) == {"mine", "other", "least-fleet", "serve-nothing"}
    assert re.findall(r'href="mini/([a-z-]+).html">\1', bounds.partition("</tbody>")[0]) == ["hindsight"]
    assert "misses IW-F 74.77 of 95 %" in infeasible
    assert "score 1</i>" in bounds


def test_numbers_are_the_tables(section):
    places = {place.name: place for place in section.places}
    for name, usd in USD.items():
        assert places[name].standing.figures["usd"] == pytest.approx(usd + 1.5)
    fast = places["fast"].standing.figures["days"]
    assert [(row["day"], row["episodes"], row["held"]) for row in fast] == [("one", 2, 2), ("two", 2, 2)]
    assert [row["usd"] for row in fast] == [701.0, 702.0]  # the protocol plays both days as recorded, then both perturbed
    assert [row["normalised"] for row in fast] == pytest.approx([0.6, 0.6])
    assert section.best.name == "fast"


def test_the_replayed_day_is_the_verified_one(whole):
    (section,) = sections(whole.board())
    recording = record(section.jobs[MINE])
    verified = table_of(whole).entry(MINE).episodes[0]
    for name, values in recording.spent.items():
        assert values[-1] == pytest.approx(verified.terms[name], abs=1e-6)
    hours = sum(
        (column * recording.series["interval_s"]).sum() / 3600
        for name, column in recording.series.items()
        if name.startswith(("active/", "provisioning/", "draining/"))
    )
    assert hours == pytest.approx(verified.terms["vm_hours"])


def test_a_log_that_is_not_what_was_verified_is_refused(sample, tmp_path):
    sample.change(0, outcomes="0" * 32)
    with pytest.raises(InputError, match=r"submissions/mine.*another digest.*verify"):
        build(sample.board(), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_submission_that_is_not_what_was_verified_is_refused(sample, tmp_path):
    sample.write(sample.lines("other"), "mine")
    with pytest.raises(InputError, match="'mine' is not what the verified table has; run sageserve leaderboard verify"):
        build(sample.board(), tmp_path / "site")
    shutil.rmtree(sample.folder("mine"))
    with pytest.raises(InputError, match="'mine' is not what the verified table has"):
        build(sample.board(), tmp_path / "site")


def test_tables_of_other_problems_are_refused(sample, tmp_path):
    table = table_of(sample)
    replace(table, problem_digest="0" * 32).write(sample.root / "verified" / "mini.json")
    with pytest.raises(InputError, match="no more; run sageserve leaderboard verify"):
        build(sample.board(), tmp_path / "site")


def test_frozen_tables_are_told_of(sample, tmp_path):
    before = table_of(sample)
    write_tables(sample.board(short(600.0)), {})
    build(sample.board(short(600.0)), tmp_path / "site")
    page = parsed(tmp_path / "site" / "index.html")
    assert "old" in page.ids()
    assert before.problem_digest[:8] in page.words


def test_a_board_without_tables_has_an_index(sample, tmp_path):
    (sample.root / "verified" / "mini.json").unlink()
    assert build(sample.board(), tmp_path / "site") == [tmp_path / "site" / "index.html"]


def test_building_again_gives_the_same_and_drops_what_is_gone(board, site, tmp_path):
    out = tmp_path / "site"
    shutil.copytree(site, out)
    (out / "mini" / "gone.html").write_text("old")
    build(board.board(), out, workers=2)
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert files == {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["thesis.tex", "index.html"])
def test_other_folders_are_left_alone(board, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds '{name}'"):
        build(board.board(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_extra_is_named(board, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "need", lambda module, extra, use: (_ for _ in ()).throw(MissingExtra(f"{use} [{extra}]")))
    with pytest.raises(MissingExtra, match=r"\[page\]"):
        build(board.board(), tmp_path / "site")


def test_the_command_writes_them(board, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sageserve_env.cli.policies.leaderboard.read_board", lambda root: board.board())
    ran = sageserve(capsys, "leaderboard", "build", "--out", tmp_path / "site")
    assert ran.status == 0, ran.err
    assert Path(tmp_path / "site" / "index.html").is_file()
    assert "and 9 more pages" in ran.out
