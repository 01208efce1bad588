"""Tampering, each kind of it caught and named: what is said of it is compared with ``tampering.json``.

After a change that is meant, ``UPDATE_SNAPSHOTS=1 pytest tests/leaderboard/test_tampering.py -n 0`` writes the file anew.
"""

import gzip
import io
import json
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.evaluation.locked.actions import packed, stacked, unpacked
from sageserve_env.evaluation.locked.protocol import Rolling
from sageserve_env.leaderboard import nulls
from sageserve_env.leaderboard.finding import KINDS
from sageserve_env.leaderboard.submission.folder import EPISODES, RECORD
from sageserve_env.leaderboard.verify import verify
from tests.leaderboard.sample import ID, MINE, OTHER, Sample, digested, enter, fixed, grows

SNAPSHOT = Path(__file__).with_name("tampering.json")


def text(sample: Sample, change) -> None:
    """Change the text of the episodes."""
    path = sample.folder() / EPISODES
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode(), mtime=0))


def other_action(line):
    """The line with another first action, and another digest of it."""
    steps = unpacked(line.log)
    steps[0]["action"] = steps[0]["action"] + 1
    rolling = Rolling()
    for said in steps:
        rolling.add(digested(said))
    return replace(line, log=packed(stacked(steps))), rolling.hexdigest()


def action(sample):
    sample.change(0, log=other_action(sample.lines()[0])[0].log)


def action_and_its_digest(sample):
    line, digest = other_action(sample.lines()[0])
    sample.change(0, log=line.log, actions=digest)


def action_beyond_the_fleet(sample):
    line = sample.lines()[0]
    steps = [{"action": np.full(3, 99)} for _ in range(line.steps)]
    rolling = Rolling()
    for said in steps:
        rolling.add(said["action"])
    sample.change(0, log=packed(stacked(steps)), actions=rolling.hexdigest())


def knobs_without_an_order(sample):
    line = sample.lines("serve-nothing")[0]
    steps = [{**said, "admission_order": np.array(-1)} for said in unpacked(line.log)]
    rolling = Rolling()
    for said in steps:
        rolling.add(digested(said))
    sample.change(0, "serve-nothing", log=packed(stacked(steps)), actions=rolling.hexdigest())


def fewer_actions(sample):
    line = sample.lines()[0]
    steps = unpacked(line.log)[:-1]
    rolling = Rolling()
    for said in steps:
        rolling.add(digested(said))
    sample.change(0, steps=line.steps - 1, log=packed(stacked(steps)), actions=rolling.hexdigest())


def number_in_the_table(sample):
    path = sample.root / "verified" / "mini.json"
    facts = json.loads(path.read_text())
    facts["entries"][0]["episodes"][0]["terms"]["vm_usd"] = 1.0
    path.write_text(json.dumps(facts))


def number_in_the_table_under_a_new_seal(sample):
    from sageserve_env.leaderboard.tables.table import read_table

    path = sample.root / "verified" / "mini.json"
    table = read_table(path)
    first = table.entries[0]
    episode = replace(first.episodes[0], terms={**first.episodes[0].terms, "vm_usd": 1.0})
    replace(table, entries=(replace(first, episodes=(episode, *first.episodes[1:])), *table.entries[1:])).write(path)


def row_out_of_the_table(sample):
    from sageserve_env.leaderboard.tables.table import read_table

    path = sample.root / "verified" / "mini.json"
    table = read_table(path)
    replace(table, entries=table.entries[1:]).write(path)


def weights(name, data):
    return lambda sample: (sample.folder() / name).write_bytes(data)


def archive(sample):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("policy.pth", b"weights")
    (sample.folder() / "ppo.zip").write_bytes(held.getvalue())


def pickled_arrays(sample):
    np.savez(sample.folder() / "weights.npz", weights=np.array([{"a": 1}], dtype=object))


def link(sample):
    (sample.folder() / "notes.md").symlink_to("/etc/hostname")


def link_for_a_folder(sample):
    sample.folder().rename(sample.root / "away")
    sample.folder().symlink_to("../away")


def path_in_the_name(sample):
    sample.say("name: mine", "name: ../../mine")


def twice(sample):
    lines = sample.lines()
    sample.write([lines[0], *lines])


def swapped(sample):
    lines = sample.lines()
    sample.write([lines[1], lines[0], *lines[2:]])


def other_scenario(sample):
    """The actions of one episode under the name of another."""
    lines = sample.lines()
    sample.write([replace(lines[0], log=lines[1].log), *lines[1:]])
    sample.change(0, day="two", variant=1)


def other_problem(sample):
    sample.write([replace(line, problem_digest="0" * 32) for line in sample.lines()])


def hold(sample):
    enter(sample.board(), "hold", grows(0))


def forged_canary(sample):
    (sample.folder("serve-nothing") / EPISODES).unlink()
    (sample.folder("serve-nothing") / RECORD).unlink()
    sample.folder("serve-nothing").rmdir()
    enter(sample.board(), "serve-nothing", fixed(nulls.Most()))


def canary_away(sample):
    sample.folder("least-fleet").rename(sample.folder("my-fleet"))
    sample.say("name: least-fleet", "name: my-fleet", "my-fleet")


def pins_of_another_problem(sample):
    path = sample.root / "canaries.json"
    pins = json.loads(path.read_text())
    pins[ID]["digests"][0] = "0" * 32
    path.write_text(json.dumps(pins))


def copied(sample):
    enter(sample.board(), "copycat", grows(2))


def two_declared(sample):
    for name in (MINE, OTHER):
        sample.say("hidden: false", "hidden: true", name)


def cut(sample):
    path = sample.folder() / EPISODES
    path.write_bytes(path.read_bytes()[:-20])


def frozen_table_renamed(sample):
    (sample.root / "verified" / "old").mkdir(exist_ok=True)
    table = (sample.root / "verified" / "mini.json").read_bytes()
    (sample.root / "verified" / "old" / "mini-00000000-00000000.json").write_bytes(table)


TAMPERINGS = {
    "a changed action": action,
    "a changed action, and its digest": action_and_its_digest,
    "an action that cannot be": action_beyond_the_fleet,
    "knobs that cannot be": knobs_without_an_order,
    "fewer actions": fewer_actions,
    "a changed number of steps": lambda sample: sample.change(0, steps=4),
    "a changed number of episodes of an agent": lambda sample: sample.write(sample.lines()[:-1]),
    "a changed digest of actions": lambda sample: sample.change(0, actions="0" * 32),
    "a changed digest of outcomes": lambda sample: sample.change(0, outcomes="0" * 32),
    "a changed number in the table": number_in_the_table,
    "a changed number in the table, under a new seal": number_in_the_table_under_a_new_seal,
    "a row taken out of the table": row_out_of_the_table,
    "a table taken away": lambda sample: (sample.root / "verified" / "mini.json").unlink(),
    "a frozen table under another name": frozen_table_renamed,
    "a changed seed": lambda sample: sample.change(0, seed=7),
    "a changed day": lambda sample: sample.change(0, day="three"),
    "a changed variant": lambda sample: sample.change(0, variant=1),
    "the actions of another episode": other_scenario,
    "a changed protocol": lambda sample: sample.change(0, protocol="v2"),
    "a version that is not out": lambda sample: sample.change(0, package="9.0.0"),
    "a version that is none": lambda sample: sample.change(0, package="latest"),
    "a version of its own for one episode": lambda sample: sample.change(0, package="0.0.1"),
    "the digest of another problem": other_problem,
    "the digest of another problem in one episode": lambda sample: sample.change(0, dynamics_digest="0" * 32),
    "another id": lambda sample: sample.change(0, env="SageServe/Day-v0"),
    "an id that is none": lambda sample: sample.say(ID, "SageServe/Mini-v7"),
    "a command of another id": lambda sample: sample.say(f"--env {ID}", "--env SageServe/Day-v0"),
    "swapped episodes": swapped,
    "an episode twice": twice,
    "a missing file": lambda sample: (sample.folder() / EPISODES).unlink(),
    "a truncated file": cut,
    "a file that is no gzip": lambda sample: (sample.folder() / EPISODES).write_bytes(b"episodes"),
    "a line that is no JSON": lambda sample: text(sample, lambda lines: lines[:-3]),
    "an unknown field of an episode": lambda sample: text(sample, lambda lines: lines.replace("{", '{"usd": 1, ', 1)),
    "a field of another kind": lambda sample: text(sample, lambda lines: lines.replace('"seed": 2025', '"seed": "2025"', 1)),
    "a log that cannot be unpacked": lambda sample: text(sample, lambda lines: lines.replace('"data": "eN', '"data": "eX', 1)),
    "an unknown field": lambda sample: sample.say("who:", "whom: nobody\nwho:"),
    "a missing field": lambda sample: sample.say("license: MIT\n", ""),
    "scores in the yaml": lambda sample: sample.say("who:", "usd: 1.0\nwho:"),
    "scores of an id in the yaml": lambda sample: sample.say("    command:", "    score: 1.0\n    command:"),
    "a yaml that is none": lambda sample: sample.say("who:", "who: [\nwho:"),
    "a view that is none": lambda sample: sample.say("    command:", "    view: {world: published}\n    command:"),
    "a view of which the environment knows nothing": lambda sample: sample.say(
        "    command:", "    view: {action_mode: wishes}\n    command:"
    ),
    "a view of other actions": lambda sample: sample.say("    command:", "    view: {action_mode: target}\n    command:"),
    "a time of decisions that is none": lambda sample: sample.say(
        "    command:", "    decision_ms: {mean: 1.0, most: .nan}\n    command:"
    ),
    "a time of decisions without its mean": lambda sample: sample.say("    command:", "    decision_ms: {most: 1.0}\n    command:"),
    "a path for a name": path_in_the_name,
    "the name of another": lambda sample: sample.say("name: mine", "name: other"),
    "a folder with an odd name": lambda sample: sample.folder().rename(sample.folder("My Entry")),
    "a link to a file": link,
    "a link to a folder": link_for_a_folder,
    "a folder in the folder": lambda sample: (sample.folder() / "more").mkdir(),
    "too large": weights("notes.md", b"x" * 10_000_001),
    "too many lines": lambda sample: text(sample, lambda lines: "\n" * 10_001),
    "a pickle": weights("weights.pkl", pickle.dumps([1])),
    "a pickle by another name": weights("weights.json", pickle.dumps([1])),
    "a pickle for safetensors": weights("weights.safetensors", pickle.dumps([1])),
    "an archive of Stable-Baselines3": archive,
    "weights of PyTorch": weights("weights.pt", b"PK\x03\x04"),
    "code": weights("policy.py", b"print(1)"),
    "arrays of pickled objects": pickled_arrays,
    "a copy of another entry": copied,
    "a forged canary": forged_canary,
    "a canary taken away": canary_away,
    "pins of another problem": pins_of_another_problem,
    "a null that leads": hold,
    "two entries of a team for the hidden split": two_declared,
}


def test_the_sample_has_nothing_wrong(whole) -> None:
    assert verify(whole.board(), checks_tables=True).findings == []


@pytest.fixture(scope="module")
def said():
    """What is to be said of each tampering; written anew where that is asked for."""
    known = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.is_file() else {}
    found: dict[str, list[str]] = {}
    yield known, found
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps({name: found.get(name, known.get(name)) for name in TAMPERINGS}, indent=1) + "\n")


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_named(sample, said, name: str) -> None:
    known, found = said
    TAMPERINGS[name](sample)
    findings = verify(sample.board(), checks_tables=True).findings
    assert findings, "nobody noticed"
    assert {each.kind for each in findings} <= set(KINDS)
    found[name] = [str(each) for each in findings]
    if not os.environ.get("UPDATE_SNAPSHOTS"):
        assert found[name] == known[name]


def test_most_kinds_of_findings_are_tampered_for() -> None:
    """The others need a git checkout, see test_add.py."""
    known = json.loads(SNAPSHOT.read_text())
    kinds = {line.split(": ")[1] for lines in known.values() for line in lines}
    assert set(KINDS) - kinds == {"elsewhere"}
