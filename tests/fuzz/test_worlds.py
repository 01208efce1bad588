"""World files: every field by everything that it is not, and files with damage."""

import copy
import random

import pytest
import yaml

from sageserve_env.world import dump_world, load_world, parse_world
from tests.fuzz.strategies import KINDS, NUMBERS, WORDS, Trial, mutated, sample, short

SMALL = """
extends: published
name: small
regions: [{name: westus, vm_capacity: {h100-80gb-x8: 9}, stored_models: [a]}]
models:
- name: a
  weights_bytes: 1.0e+9
  kv_bytes_per_token: 1.0e+5
  profiles: {h100-80gb-x8: {prefill: {tokens: [1, 9], seconds: [0.1, 0.2]}, decode: {tokens: [1, 9], seconds: [0.1, 0.2]}}}
pools: [{name: all, tiers: [IW-F, IW-N, NIW], instances: {a: 2}, spill_to: null, spill_utilization: 0.7}]
"""

WRITABLE = [value for value in (*NUMBERS, *WORDS, *KINDS) if isinstance(value, int | float | str | list | dict | tuple | None)]
NASTY = [*WRITABLE, [[]], [{}], {"name": None}, {"": ""}, [1] * 1000, {"a": {"a": {"a": 1}}}, "published", "*a", "<<", "!!int x"]


@pytest.fixture(scope="module")
def whole():
    """A small world with every field written out."""
    return yaml.safe_load(dump_world(parse_world(SMALL)))


def paths(value, path=()):
    """The places in a structure."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))


def replaced(structure, path, value):
    changed = copy.deepcopy(structure)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def test_every_field_by_everything_that_it_is_not(whole):
    trial = Trial()
    cases = [(path, value) for path in paths(whole) if path for value in NASTY]
    for path, value in sample(1, cases, 450):
        text = yaml.dump(replaced(whole, path, value), Dumper=yaml.Dumper)
        trial.attempt(f"{path} = {short(value)}", lambda text=text: parse_world(text))
    trial.conclude(450)


def test_files_with_damage(tmp_path):
    trial, rng = Trial(), random.Random(2)
    file = tmp_path / "w.yaml"
    for number in range(300):
        content = mutated(SMALL.encode(), rng)
        file.write_bytes(content)
        trial.attempt(f"{number}: {content[:200]!r}", lambda: load_world(file))
    trial.conclude(300)
