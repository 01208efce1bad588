"""Numbers that no world has, and files that are no world: one line, at once."""

import math
import re
from dataclasses import replace

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import load_world, parse_world, validate

COEFFICIENTS = ("base_s", "sequence_s", "context_token_s", "prefill_token_s", "prefill_context_s")
TIMES = (
    "models: [{name: llama-2-70b, profiles: {h100-80gb-x8: {"
    + ", ".join(f"{name}: 0.1" for name in COEFFICIENTS)
    + ", provenance: x}}}, bloom-176b, llama-3.1-8b, llama-3.2-3b]"
)
FIELDS = {
    "scaling: {tick_s: %s}": "scaling.tick_s",
    "scaling: {cool_down_s: %s}": "scaling.cool_down_s",
    "scaling: {min_instances: %s}": "scaling.min_instances",
    "scaling: {scale_out_utilization: %s}": "scaling.scale_out_utilization",
    "lead_times: {redeploy_s: %s}": "lead_times.redeploy_s",
    "serving: {max_batch: %s}": "serving.max_batch",
    "serving: {iteration_overhead_s: %s}": "serving.iteration_overhead_s",
    "serving: {mixed_factor: %s}": "serving.mixed_factor",
    "routing: {delay_s: %s}": "routing.delay_s",
    "routing: {group_size: %s}": "routing.group_size",
    "niw: {release_count: [%s, 1]}": "niw.release_count",
    "dpa: {urgent_s: %s}": "dpa.urgent_s",
    "regions: [{name: westus, vm_capacity: {h100-80gb-x8: %s}}, centralus, eastus]": "vm_capacity",
    "vm_types: [{name: h100-80gb-x8, price_usd_per_h: %s}]": "price_usd_per_h",
    "vm_types: [{name: h100-80gb-x8, gpu_memory_bytes: %s}]": "gpu_memory_bytes",
    "tiers: [{name: IW-F, slo_s: %s}, IW-N, NIW]": "slo_s",
    "tiers: [{name: IW-F, slo_s: 1, tpot_s: %s}, IW-N, NIW]": "tpot_s",
    "serving: {prefill_budget_tokens: %s}": "serving.prefill_budget_tokens",
    **{TIMES.replace(f"{name}: 0.1", f"{name}: %s"): name for name in COEFFICIENTS},
    "latency_s: [[0, 0, %s], [0, 0, 0], [0, 0, 0]]": "latency_s",
}
NUMBERS = [
    ".inf",
    "-.inf",
    ".nan",
    "1e300",
    "-1",
    "1" + "0" * 400,
    "1" + "0" * 5000,
    "2024-01-01",
    "1:30",
    "[1]",
    "{}",
    "true",
    "''",
]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:10])
def test_numbers_that_no_world_has(field, number):
    with pytest.raises(InputError, match=r"is not YAML" if len(number) > 4300 else re.escape(FIELDS[field])) as caught:
        parse_world(f"extends: published\n{field % number}\n")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_small_numbers_that_stop_a_clock_or_overflow_memory():
    world = load_world("published")
    tick = replace(world, scaling=replace(world.scaling, tick_s=1e-300))
    model = replace(world.models[0], kv_bytes_per_token=1e-300)
    table = replace(model.profiles["h100-80gb-x8"].decode, seconds=(1e-300,) * len(model.profiles["h100-80gb-x8"].decode.seconds))
    slow = replace(world.models[0], profiles={"h100-80gb-x8": replace(model.profiles["h100-80gb-x8"], decode=table)})
    for bad, field in ((tick, "tick_s"), (replace(world, models=(model, *world.models[1:])), "kv_bytes_per_token")):
        with pytest.raises(InputError, match=field):
            validate(bad)
    with pytest.raises(InputError, match="seconds"):
        validate(replace(world, models=(slow, *world.models[1:])))
    with pytest.raises(InputError, match=r"dpa\.severe_s = a value of type int"):
        validate(replace(world, dpa=replace(world.dpa, severe_s=10**5000)))


def test_numbers_are_read_as_they_are_written():
    assert parse_world("extends: published\nserving: {max_batch: 010}\n").serving.max_batch == 10
    assert parse_world("extends: published\nniw: {promote_after_s: .inf}\n").niw.promote_after_s == math.inf


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

FILES = {
    "aliases of aliases": (BOMB + "regions: *i\n", "values with its aliases written out"),
    "merges of merges": (MERGES + "serving: *i\n", "values with its aliases written out"),
    "a list in itself": ("extends: published\nregions: &r [*r]\n", "stands inside what it names"),
    "deep": ("extends: published\nregions: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "a list as a key": ("? [a, b]\n: 1\n", "a key is no text"),
    "a tag": ("extends: !!python/object/apply:os.system [ls]\n", "is not YAML"),
    "two documents": ("extends: published\n---\nextends: siloed\n", "is not YAML"),
    "a null byte": ("extends: published\x00\n", "is not YAML"),
    "many pools": ("extends: published\npools: [" + "{name: a, tiers: [NIW], instances: {}}, " * 16 + "]", "is too many"),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES)
def test_files_that_are_no_world(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse_world(text)


def test_a_file_that_no_world_needs(tmp_path):
    (tmp_path / "w.yaml").write_text("extends: published\n" + "#" * 1_000_001)
    with pytest.raises(InputError, match="cannot be read"):
        load_world(tmp_path / "w.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_world("\x00.yaml")
