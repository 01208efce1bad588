"""Verification of a sample: what is as it was verified is played in part, all else in full, and little escapes it."""

from dataclasses import replace

import pytest

from sageserve_env.errors import InputError
from sageserve_env.leaderboard.sampling import Draw
from sageserve_env.leaderboard.verify import verify
from tests.cli.conftest import refused, run
from tests.leaderboard.sample import DECIDES, ID, MINE, enter, grows
from tests.leaderboard.test_tampering import TAMPERINGS

__all__ = ["refused", "run"]

EPISODES = 4
"""Of each row of the sample board."""

FORGED = "a changed number in the table, under a new seal"


def test_some_episodes_of_each_row_are_played_and_the_tables_are_the_same(whole) -> None:
    found, all_ = verify(whole.board(), checks_tables=True, draw=Draw(1)), verify(whole.board())
    assert (found.findings, found.tables) == ([], all_.tables)
    assert (found.replayed[ID], all_.replayed[ID]) == (len(DECIDES), len(DECIDES) * EPISODES)
    assert verify(whole.board(), draw=Draw(99)).replayed == all_.replayed
    none = verify(whole.board(), draw=Draw(0))
    assert (none.tables, none.replayed.total()) == (all_.tables, 0)


def test_the_seed_decides_which_and_nobody_knows_it(whole) -> None:
    row = next(row for row in verify(whole.board()).tables[ID].entries if row.name == MINE)
    assert Draw(1).seed != Draw(1).seed

    def spared(seed: int) -> list[int]:
        from sageserve_env.leaderboard.submission.entry import read_entry

        entry = read_entry(whole.folder(), whole.board())
        return [row.episodes.index(each) for each in Draw(1, seed).spared(entry, ID, row)]

    assert spared(0) == spared(0)
    assert {number for seed in range(30) for number in set(range(EPISODES)) - set(spared(seed))} == set(range(EPISODES))


def test_what_was_changed_is_played_in_full(sample) -> None:
    """Other actions, another view, and a table that is not of these problems: each counts as not verified."""
    for path in sample.folder().iterdir():
        path.unlink()
    sample.folder().rmdir()
    enter(sample.board(), MINE, grows(0))
    found = verify(sample.board(), checks_tables=True, draw=Draw(1))
    assert found.replayed[ID] == len(DECIDES) - 1 + EPISODES
    assert "table" in {each.kind for each in found.findings}


def test_another_view_is_played_in_full(sample) -> None:
    sample.say("    command:", "    view: {mask_in_observation: true}\n    command:")
    found = verify(sample.board(), checks_tables=True, draw=Draw(1))
    assert found.replayed[ID] == len(DECIDES) - 1 + EPISODES
    assert [each.kind for each in found.findings] == ["table"]


def test_without_a_table_all_is_played(sample) -> None:
    (sample.root / "verified" / "mini.json").unlink()
    assert verify(sample.board(), draw=Draw(1)).replayed[ID] == len(DECIDES) * EPISODES


@pytest.mark.parametrize("name", sorted(set(TAMPERINGS) - {FORGED}))
def test_tampering_is_found_in_a_sample(sample, name: str) -> None:
    TAMPERINGS[name](sample)
    assert verify(sample.board(), checks_tables=True, draw=Draw(1)).findings


def test_a_number_forged_in_table_and_seal_is_found_where_its_episode_is_drawn(sample) -> None:
    """The one thing that may escape a draw: a submission with it is stopped by ``add``, which plays all."""
    TAMPERINGS[FORGED](sample)
    found = [bool(verify(sample.board(), checks_tables=True, draw=Draw(1, seed)).findings) for seed in range(12)]
    assert any(found)
    assert not all(found)
    assert verify(sample.board(), checks_tables=True, draw=Draw(EPISODES)).findings


def test_actions_and_digests_forged_together_are_found_where_drawn(sample) -> None:
    """Outcomes of another's actions, in submission and table: no digest tells, but the replay."""
    from sageserve_env.leaderboard.tables.table import read_table

    lines, path = sample.lines(), sample.root / "verified" / "mini.json"
    sample.write([replace(lines[0], outcomes="0" * 32), *lines[1:]])
    table = read_table(path)
    rows = {row.name: row for row in table.entries}
    first = replace(rows[MINE].episodes[0], outcomes="0" * 32)
    rows[MINE] = replace(rows[MINE], episodes=(first, *rows[MINE].episodes[1:]))
    replace(table, entries=tuple(rows.values())).write(path)
    kinds = [[each.kind for each in verify(sample.board(), draw=Draw(1, seed)).findings] for seed in range(12)]
    assert ["outcomes"] in kinds
    assert [] in kinds


def test_a_sample_writes_no_table_and_names_its_seed(sample, run, refused, monkeypatch) -> None:
    monkeypatch.setattr("sageserve_env.cli.policies.leaderboard.read_board", lambda root: sample.board())
    sound = run("leaderboard", "verify", "--sample", "1", "--seed", "3", "--quiet")
    assert (sound.status, sound.out, sound.err) == (0, "", "")
    (sample.root / "verified" / "mini.json").unlink()
    wrong = run("leaderboard", "verify", "--sample", "1", "--seed", "3", "--quiet")
    assert wrong.status == 1
    assert "--seed 3" in wrong.err
    assert not (sample.root / "verified" / "mini.json").exists()


def test_what_cannot_be_drawn_is_refused(whole, refused) -> None:
    with pytest.raises(InputError, match="sample = -1"):
        verify(whole.board(), draw=Draw(-1))
    assert "draws nothing" in refused("leaderboard", "verify", "--board", str(whole.root), "--seed", "3")
