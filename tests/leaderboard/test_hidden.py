"""The hidden split: nothing that a public split plays, drawn by a secret that was committed to."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.cli.policies.simulate import policy_options
from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.entrant import Entrant
from sageserve_env.evaluation.locked.play.briefing import briefing
from sageserve_env.evaluation.locked.result.logs import write_logs
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED
from sageserve_env.identity import digest
from sageserve_env.leaderboard.board import Board
from sageserve_env.leaderboard.hidden.play import declared, play_hidden
from sageserve_env.leaderboard.hidden.seeds import COMMITMENT, commitment, new_secret, read_secret
from sageserve_env.leaderboard.hidden.sources import YearWindow, unplayed
from sageserve_env.leaderboard.hidden.split import SEED_BITS, hidden
from sageserve_env.leaderboard.rules import team_findings
from sageserve_env.leaderboard.submission.entry import read_entry
from sageserve_env.leaderboard.submission.pack import as_yaml
from sageserve_env.leaderboard.submission.record import command
from sageserve_env.leaderboard.tables.standings import ranking
from sageserve_env.scenarios import load_problem
from sageserve_env.scenarios.perturbation import Perturbation
from sageserve_env.workload.sources.curves import curve
from sageserve_env.workload.sources.o365 import O365Week
from tests.cli.conftest import refused, run
from tests.leaderboard.sample import ABOUT, ID, MINE, OTHER, short

__all__ = ["refused", "run"]

SECRET = [11, 12, 13]

OF_CURVES, OF_HOURS = ("mini", "day", "burst", "storm", "globe"), ("paper", "scale2025")


@pytest.mark.parametrize("name", OF_CURVES)
def test_it_plays_what_no_public_split_plays(name: str) -> None:
    problem = load_problem(name)
    split = hidden(problem, SECRET)
    public = {curve for each in problem.splits for window in each.windows for curve in window.curves}
    windows = split.problem.split("test").windows
    assert len(windows) == len(SECRET)
    for window in windows:
        assert not public & set(window.curves)
        assert len(set(window.curves)) == len(window.curves) == len(problem.source.traffic)
    assert [each.name for each in split.problem.splits] == ["train", "validation", "test"]
    assert split.problem.splits[:2] == problem.splits[:2]


def test_where_nothing_is_left_there_is_none() -> None:
    with pytest.raises(InputError, match="Week-v0 has no hidden split"):
        hidden(load_problem("week"), SECRET)
    with pytest.raises(InputError, match="has no hidden split"):
        commitment(new_secret(), [load_problem("week")])


@pytest.mark.parametrize("name", OF_HOURS)
def test_the_requests_of_the_paper_come_when_another_week_has_them(name: str) -> None:
    """Each model as many as in its own week, in the shape of the curve; the public windows as they were."""
    problem = load_problem(name)
    split = hidden(problem, SECRET)
    source, week = split.problem.source, O365Week(models=dict(problem.source.renamed)).intensity
    for window in split.problem.split("test").windows:
        assert len(set(window.curves)) == len(window.curves) == len(problem.source.models)
        assert not any(name.startswith("o365") for name in window.curves)
        played = source.play(window, Perturbation())
        by_model = dict.fromkeys(problem.source.models, 0.0)
        for series, rate in zip(played.intensity.series, played.intensity.rate, strict=True):
            by_model[series.model] = by_model[series.model] + rate
        total = played.intensity.expected().sum()
        if problem.source.requests is not None:
            assert total == pytest.approx(problem.source.requests)
        first = round(window.start_s / 600.0)
        for model, name_of_curve in zip(problem.source.models, window.curves, strict=True):
            shape = curve(name_of_curve)[first : first + 144]
            np.testing.assert_allclose(by_model[model] / by_model[model].sum(), shape / shape.sum())
            if problem.source.requests is None:
                share = [s.model == model for s in week.series]
                assert by_model[model].mean() / shape.mean() == pytest.approx(week.expected()[share].sum() / week.duration_s)
    train = problem.split("train").windows[0]
    mine, own = source.play(train, Perturbation()).intensity, problem.source.play(train, Perturbation()).intensity
    assert digest(mine) == digest(own)


def test_azure_is_a_year_later() -> None:
    problem = load_problem("azure")
    split = hidden(problem, list(range(40)))
    windows = split.problem.split("test").windows
    assert all(isinstance(window, YearWindow) for window in windows)
    assert {window.service for window in windows} == {"conv", "code"}
    assert len({window.start_s for window in windows}) > 30
    expected = [split.problem.source.play(window, Perturbation()).intensity.expected().sum() for window in windows]
    assert 200 < min(expected) < max(expected) < 10_000
    of_2023 = {"conv": 5.5, "code": 2.5}
    rates = {service: [] for service in of_2023}
    for window, requests in zip(windows, expected, strict=True):
        rates[window.service].append(requests / window.span_s)
    assert all(0.5 < np.mean(rates[service]) / rate < 1.5 for service, rate in of_2023.items())


@pytest.mark.parametrize("name", ["azure", "paper"])
def test_what_is_drawn_can_be_played(name: str) -> None:
    split = hidden(load_problem(name), SECRET)
    env = FleetEnv(problem=split.problem, split="test", horizon_s=600.0)
    for episode, seed in zip(split.episodes, split.seeds, strict=True):
        env.reset(seed=seed, options=dict(episode))
        briefing(split.problem, env.episode, 0)
        while not env.step(env.action_space.sample())[3]:
            pass
        assert env.episode_terms["arrived"] > 0


def test_seeds_draw_the_episodes() -> None:
    """The same seeds the same, others others; each with a seed of its own for traffic and faults, too."""
    one, same, other = (hidden(load_problem("mini"), secret) for secret in (SECRET, SECRET, [21, 12, 13]))
    assert one == same
    assert one.problem.split("test").variants[0] != other.problem.split("test").variants[0]
    assert one.problem.split("test").variants[1] == other.problem.split("test").variants[1]
    assert len({*one.seeds, EPISODE_SEED}) == 4


@pytest.fixture
def secret(sample, tmp_path):
    """A file of a secret that the sample has committed to."""
    return committed(sample.root, tmp_path, short(), 2)


def committed(root, folder, problem, episodes: int):
    """A board's commitment to a new secret, and the secret's file."""
    text = new_secret()
    (folder / "secret.txt").write_text(text + "\n")
    (root / COMMITMENT).write_text(json.dumps(commitment(text, [problem], episodes)))
    return folder / "secret.txt"


def test_a_secret_draws_the_seeds_of_all_ids(tmp_path) -> None:
    """Always the same, each of its own, another secret others; kept with white space around it or without."""
    board, text = Board(tmp_path), new_secret()
    (tmp_path / COMMITMENT).write_text(json.dumps(commitment(text, [load_problem("mini"), load_problem("day")], 4)))
    (tmp_path / "secret.txt").write_text(text)
    seeds = read_secret(tmp_path / "secret.txt", board)
    assert {env: len(each) for env, each in seeds.items()} == {"SageServe/Mini-v0": 4, "SageServe/Day-v0": 4}
    every = {seed for each in seeds.values() for seed in each}
    assert len(every) == 8
    assert all(0 <= seed < 1 << SEED_BITS for seed in every)
    assert commitment(f" {text}\n", []) == commitment(text, [])
    (tmp_path / "secret.txt").write_text(f"\n {text}\r\n")
    assert read_secret(tmp_path / "secret.txt", board) == seeds
    other = read_secret(committed(tmp_path, tmp_path, load_problem("mini"), 4), board)
    assert not every & set(other["SageServe/Mini-v0"])


def test_another_secret_is_refused(sample, secret, tmp_path) -> None:
    assert len(read_secret(secret, sample.board())[ID]) == 2
    secret.write_text(new_secret())
    with pytest.raises(InputError, match="does not hold the secret that the board committed to"):
        read_secret(secret, sample.board())
    secret.write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="does not hold the secret that the board committed to"):
        read_secret(secret, sample.board())
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(tmp_path / "nowhere.txt", sample.board())
    for damaged in ("{}", "[]", '{"sha256": "", "episodes": []}', '{"sha256": "", "episodes": {"SageServe/Mini-v0": "20"}}'):
        (sample.root / COMMITMENT).write_text(damaged)
        with pytest.raises(InputError, match="commits to no secret"):
            read_secret(secret, sample.board())


def test_declared_entries_are_played_and_ranked(sample, secret) -> None:
    sample.say("mine.py:Mine", "sageserve_env.leaderboard.nulls:Hold")
    sample.say("mine.py:Other", "sageserve_env.leaderboard.nulls:Nope", OTHER)
    sample.say("hidden: false", "hidden: true")
    board = sample.board()
    (entry,) = declared(board, ID)
    assert (entry.name, entry.entries[ID].policy) == (MINE, "sageserve_env.leaderboard.nulls:Hold")
    entrant = Entrant.parse(entry.entries[ID].policy, lambda words: policy_options(words, None))
    table, failed = play_hidden(board, ID, [(entry, entrant)], secret, 1, lambda done, jobs: None)
    assert failed == {}
    (standing,) = ranking(table).standings
    assert [each.steps for each in standing.entry.episodes] == [3, 3]
    assert table.problem_digest != board.ground(ID).problem_digest
    assert len({each.outcomes for each in standing.entry.episodes}) == 2


def test_who_fails_is_told(sample, secret) -> None:
    board = sample.board()
    entry = declared_as(sample, "static:instances=1000")
    entrant = Entrant.parse("static:instances=1000", lambda words: policy_options(words, None))
    table, failed = play_hidden(board, ID, [(entry, entrant)], secret, 1, lambda done, jobs: None)
    assert (table.entries, failed[MINE].step) == ((), -1)


def declared_as(sample, policy: str):
    sample.say("mine.py:Mine", policy)
    sample.say("hidden: false", "hidden: true")
    return declared(sample.board(), ID)[0]


def test_a_team_declares_one(sample) -> None:
    for name in (MINE, OTHER):
        sample.say("hidden: false", "hidden: true", name)
    with pytest.raises(InputError, match="declares 2 entries"):
        declared(sample.board(), ID)


def test_of_several_ids_it_declares_one_for_each(sample) -> None:
    one, other = (read_entry(sample.board().submissions / name, sample.board()).submission for name in (MINE, OTHER))
    one, other = replace(one, hidden=True), replace(other, hidden=True)
    assert len(list(team_findings([one, other]))) == 2
    assert list(team_findings([one, replace(other, entries={"SageServe/Day-v0": other.entries[ID]})])) == []


def test_unplayed_curves_are_those_that_no_split_has() -> None:
    assert set(unplayed(load_problem("day"))) == set(unplayed(load_problem("mini")))
    assert "azure2024-conv" in unplayed(load_problem("mini"))


def test_rank_plays_the_declared_entries(run, refused, tmp_path) -> None:
    """By the command line, on one day of Mini."""
    folder = tmp_path / "submissions" / "holds"
    folder.mkdir(parents=True)
    entries = {ID: {"command": command("sageserve_env.leaderboard.nulls:Hold", ID, False)}}
    (folder / "submission.yaml").write_text(as_yaml({"name": "holds", **ABOUT, "hidden": True, "entries": entries}))
    write_logs(folder / "episodes.jsonl.gz", [])
    secret = committed(tmp_path, tmp_path, load_problem("mini"), 1)
    arguments = ("leaderboard", "rank", "mini", "--board", tmp_path, "--hidden", secret)
    ran = run(*arguments, "--json", "--quiet")
    assert ran.status == 0, ran.err
    (standing,) = json.loads(ran.out)["standings"]
    assert (standing["name"], standing["episodes"], standing["usd"] > 0) == ("holds", 1, True)
    secret.write_text(new_secret())
    assert "does not hold the secret that the board committed to" in refused(*arguments)
