import math
from dataclasses import replace
from pathlib import Path

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import (
    PRESETS,
    IterationModel,
    dump_world,
    evaluate,
    golden_world,
    load_world,
    measured_profile,
    parse_world,
    published,
)
from sageserve_env.world.presets.published import NIW_AUTHORS

EXAMPLE = Path(__file__).parents[2] / "examples" / "world_two_vm_types.yaml"

INLINE = """
name: toy
regions:
  - {name: here, vm_capacity: {vm: 3}}
latency_s: [[0.001]]
vm_types:
  - {name: vm, gpus: 1, gpu_memory_bytes: 80000000000, price_usd_per_h: 2}
models:
  - name: tiny
    weights_bytes: 1e9
    kv_bytes_per_token: 1000
    profiles:
      vm:
        prefill: {tokens: [1, 1000], seconds: [0.01, 0.1]}
        decode: {tokens: [1, 64], seconds: [0.01, 0.02]}
tiers:
  - {name: IW-F, slo_s: 1}
  - {name: IW-N, slo_s: 60}
  - {name: NIW, slo_s: 86400}
pools:
  - {name: all, tiers: [IW-F, IW-N, NIW], instances: {tiny: 2}}
"""


MODELLED = INLINE.replace(
    """        prefill: {tokens: [1, 1000], seconds: [0.01, 0.1]}
        decode: {tokens: [1, 64], seconds: [0.01, 0.02]}
""",
    """        {base_s: 0.01, sequence_s: 5e-5, context_token_s: 3e-8, prefill_token_s: 4e-5, prefill_context_s: 1e-10,
         provenance: an example}
""",
)


@pytest.mark.parametrize("world", [*(build() for build in PRESETS.values()), golden_world({"bloom-176b": 2}, niw=NIW_AUTHORS)])
def test_dump_and_parse_give_the_same_world(world):
    assert parse_world(dump_world(world)) == world


def test_a_preset_extended_with_nothing_is_the_preset():
    assert parse_world("extends: siloed") == PRESETS["siloed"]()


def test_the_example_with_two_vm_types():
    world = load_world(EXAMPLE)
    assert parse_world(dump_world(world)) == world
    assert [vm_type.name for vm_type in world.vm_types] == ["a100-80gb-x8", "h100-80gb-x8"]
    assert world.regions[1].vm_capacity == {"a100-80gb-x8": 60, "h100-80gb-x8": 40}
    assert world.latency_s == published().latency_s
    llama, scaled = world.models[0], world.models[3]
    assert set(llama.profiles) == {"a100-80gb-x8", "h100-80gb-x8"}
    assert llama.weights_bytes == 135e9
    for vm_type, profile in scaled.profiles.items():
        expected = 0.47 * evaluate(measured_profile("llama-2-70b", vm_type).prefill, 5000)
        assert evaluate(profile.prefill, 5000) == pytest.approx(expected)


def test_an_iteration_model_a_budget_and_a_second_level():
    tiers = MODELLED.replace("{name: IW-F, slo_s: 1}", "{name: IW-F, slo_s: 1, tpot_s: 0.05}")
    world = parse_world(tiers + "serving: {max_batch: 256, prefill_budget_tokens: 2048}")
    expected = IterationModel(0.01, 5e-5, 3e-8, 4e-5, 1e-10, "an example")
    assert world.models[0].profiles == {"vm": expected}
    assert [tier.tpot_s for tier in world.tiers] == [0.05, None, None]
    assert world.serving.prefill_budget_tokens == 2048
    assert parse_world(dump_world(world)) == world


def test_a_world_without_a_preset():
    world = parse_world(INLINE)
    assert world.models[0].weights_bytes == 1e9  # YAML 1.1 reads 1e9 as text
    assert world.models[0].profiles["vm"].decode.seconds == (0.01, 0.02)
    assert world.scaling == published().scaling
    assert isinstance(world.vm_types[0].price_usd_per_h, float)


def test_overrides_keep_what_they_do_not_name():
    world = parse_world(
        """
        extends: published
        lead_times: {redeploy_s: 300}
        scaling: {scale_out_utilization: 0.6}
        niw: {promote_after_s: .inf, managed: false}
        vm_types:
          - {name: h100-80gb-x8, price_usd_per_h: 50}
        pools:
          - {name: unified, instances: {llama-2-70b: 8}}
        """
    )
    base = published()
    assert world.lead_times == replace(base.lead_times, redeploy_s=300.0)
    assert world.scaling == replace(base.scaling, scale_out_utilization=0.6)
    assert world.niw == replace(base.niw, promote_after_s=math.inf, managed=False)
    assert world.vm_types == (replace(base.vm_types[0], price_usd_per_h=50.0),)
    assert world.pools == (replace(base.pools[0], instances={"llama-2-70b": 8}),)
    assert world.models == base.models


def test_a_selection_of_regions_selects_the_latencies():
    world = parse_world("extends: published\nregions: [eastus, {name: westus, vm_capacity: {h100-80gb-x8: 90}}]")
    assert world.latency_s == ((0.003, 0.069), (0.072, 0.006))
    assert [region.vm_capacity["h100-80gb-x8"] for region in world.regions] == [100, 90]


BROKEN = [
    ("extends: publishd", "extends = 'publishd' is no preset (did you mean 'published'?)"),
    ("extends: [published]", "is no preset"),
    ("", "holds no fields"),
    ("- published", "holds no fields"),
    ("extends: published\nregion: []", "region is not a known field (did you mean 'regions'?)"),
    ("extends: published\nscaling: {tick: 5}", "scaling.tick is not a known field (did you mean 'tick_s'?)"),
    (
        "extends: published\nlead_times: {reclaim: 5}",
        "lead_times.reclaim is not a known field (did you mean 'reclaim_s'?); allowed: reclaim_s,",
    ),
    ("extends: published\nscaling: {1: 5}", "scaling.1 is not a known field"),
    ("extends: published\nscaling: 5", "scaling = 5 is not a mapping"),
    ("extends: published\nscaling: {tick_s: fast}", "scaling.tick_s = 'fast' is not a number"),
    ("extends: published\nscaling: {tick_s: true}", "scaling.tick_s = True is not a number"),
    ("extends: published\nscaling: {tick_s: -5}", "scaling.tick_s = -5.0 is out of range"),
    ("extends: published\nscaling: {min_instances: 1.5}", "scaling.min_instances = 1.5 is not a whole number"),
    ("extends: published\nniw: {managed: maybe}", "niw.managed = 'maybe' is not true or false"),
    ("extends: published\nniw: {release_utilization: [0.5]}", "niw.release_utilization = [0.5] has 1 items; give 2"),
    ("extends: published\nname: 5", "name = 5 is not text"),
    ("extends: published\nregions: westus", "regions = 'westus' is not a list"),
    ("extends: published\nregions: [westeu]", "latency_s is missing, and preset 'published' has no region 'westeu'"),
    ("extends: published\nregions: [5]\nlatency_s: [[0]]", "regions[0] = 5 is not a mapping"),
    (
        "extends: published\nregions: [westu]\nlatency_s: [[0]]",
        "regions[0] = 'westu' is not known by name (did you mean 'westus'?)",
    ),
    ("extends: published\nregions: [{name: w}]\nlatency_s: [[0]]", "regions[0].vm_capacity is missing"),
    ("extends: published\nregions: [{name: westus, vm_capacity: {5: 1}}]", "regions[0].vm_capacity = 5 is not text"),
    ("extends: published\nlatency_s: [[0, x, 1]]", "latency_s[0][1] = 'x' is not a number"),
    ("extends: published\nmodels: llama", "models = 'llama' is not a list"),
    (
        "extends: published\nmodels: [{name: llama-2-70b, profile: x}]",
        "models[0].profile is not a known field (did you mean 'profiles'?)",
    ),
    (
        "extends: published\nmodels: [{name: m, profile_from: gpt}]",
        "models[0].profile_from = 'gpt' was not measured; known: 'llama",
    ),
    ("extends: published\nmodels: [{name: llama-2-70b, scale: 2}]", "models[0].scale = 2 has nothing to scale"),
    ("extends: published\nmodels: [{name: m, profile_from: llama-2-70b, scale: -1}]", "models[0].scale = -1.0"),
    ("extends: published\nmodels: [{name: m, profile_from: llama-2-70b}]", "models[0].weights_bytes is missing"),
    ("extends: published\nvm_types: [tpu]", "vm_types[0] = 'tpu' is not known by name"),
    (
        "extends: published\nvm_types: [a100-80gb-x8]",
        "regions['westus'].vm_capacity = 'h100-80gb-x8' is not a VM type of this world",
    ),
    ("extends: published\nname: a\nname: b", "line 3: key 'name' appears twice"),
    ("extends: published\nname: [", "is not YAML"),
    ("extends: published\nname: 2024-99-99", "is not YAML (month must be"),
    ('extends: published\nname: "a\\n"', "name = 'a\\n' is not a name"),
    ('extends: published\n"a\\nb": 1', "a b is not a known field"),
    (
        "extends: published\nmodels: [{name: m, profile_from: llama-2-70b, profiles: x}]",
        "models[0].profiles = 'x' is not a mapping",
    ),
    ("extends: !!python/object:os.system x", "is not YAML"),
    ("name: toy", "vm_types is missing; give it, or a preset in 'extends'"),
    ("vm_types: [h100-80gb-x8]", "name is missing; give it or a preset in extends"),
    (INLINE.replace("tiny: 2", "tiny: 4"), "in region 'here' = 4 is more than its 3 VMs of type 'vm'"),
    (INLINE.replace("vm_types:", "vm_types: [other]\nlead_times: {}\nx:"), "x is not a known field"),
    (INLINE + "models: []", "key 'models' appears twice"),
    (MODELLED.replace("provenance: an example", ""), "models[0].profiles['vm'].provenance is missing; give it"),
    (MODELLED.replace("an example", "''"), "models['tiny'].profiles['vm'].provenance = '' is no provenance"),
    (MODELLED.replace("sequence_s: 5e-5", "sequence_s: -5e-5"), "profiles['vm'].sequence_s = -5e-05 is out of range"),
    (MODELLED.replace("base_s", "bas_s"), "models[0].profiles['vm'].bas_s is not a known field (did you mean 'base_s'?)"),
    (MODELLED.replace("{base_s", "{decode: {}, base_s"), "models[0].profiles['vm'].decode is not a known field"),
    (MODELLED + "serving: {max_batch: 64, prefill_budget_tokens: 63}", "prefill_budget_tokens = 63 is below max_batch = 64"),
    (MODELLED + "serving: {prefill_budget_tokens: 1000.5}", "serving.prefill_budget_tokens = 1000.5 is not a whole number"),
    (MODELLED.replace("slo_s: 60", "slo_s: 60, tpot_s: 0"), "tiers['IW-N'].tpot_s = 0.0"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_errors_name_file_field_and_value_on_one_line(text, message, tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_world(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_measured_times_need_a_vm_type_that_was_measured():
    text = INLINE.replace("    profiles:", "    profile_from: bloom-176b\n    profiles:")
    with pytest.raises(InputError, match="was not measured on 'vm'; give profiles inline"):
        parse_world(text)


def test_names_and_paths_that_do_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"world = 'publised' is no preset \(did you mean 'published'\?\), nor a \.yaml file"):
        load_world("publised")
    with pytest.raises(InputError, match=r"nothing\.yaml' does not exist; give a preset \(published, "):
        load_world(tmp_path / "nothing.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        load_world(tmp_path / "folder.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(InputError, match="cannot be read"):
        load_world(tmp_path / "latin.yaml")
