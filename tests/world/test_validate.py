import math
from dataclasses import replace

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import (
    Dpa,
    IterationModel,
    LeadTimes,
    Model,
    NiwQueue,
    Pool,
    Profile,
    Region,
    Routing,
    Scaling,
    Serving,
    Tier,
    TimeTable,
    VMType,
    World,
    published,
    validate,
)

TABLE = TimeTable((1.0, 100.0), (0.05, 0.2))
ALL = ("IW-F", "IW-N", "NIW")
REGION = Region("west", {"gpu": 10})
VM = VMType("gpu", 8, 640 * 1024**3, 98.32)
TIMES = IterationModel(0.01, 5e-5, 3e-8, 4e-5, 1e-10, "an example")
MODEL = Model("m", 140e9, 327_680.0, {"gpu": Profile(TABLE, TABLE)})
TIERS = (Tier("IW-F", 1.0), Tier("IW-N", 60.0), Tier("NIW", 86_400.0))
POOL = Pool("unified", ALL, {"m": 4})
WORLD = World("tiny", (REGION,), ((0.01,),), (VM,), (MODEL,), TIERS, (POOL,))


def model(**changes):
    return {"models": (replace(MODEL, **changes),)}


def prefill(tokens, seconds):
    return model(profiles={"gpu": Profile(TimeTable(tokens, seconds), TABLE)})


def timed(**changes):
    return model(profiles={"gpu": replace(TIMES, **changes)})


def pool(**changes):
    return {"pools": (replace(POOL, **changes),)}


def tier(**changes):
    return {"tiers": (replace(TIERS[0], **changes), *TIERS[1:])}


NAN = math.nan
BROKEN = [
    ({"name": ""}, "name = '' is not a name"),
    ({"regions": ()}, "regions = () is empty"),
    ({"models": ()}, "models = () is empty"),
    ({"vm_types": ()}, "vm_types = () is empty"),
    ({"pools": ()}, "pools = () is empty"),
    ({"regions": (REGION, REGION), "latency_s": ((0.0, 0.0), (0.0, 0.0))}, "regions names = 'west' appears twice"),
    ({"vm_types": (VM, VM)}, "vm_types names = 'gpu' appears twice"),
    ({"models": (MODEL, MODEL)}, "models names = 'm' appears twice"),
    ({"pools": (POOL, POOL)}, "pools names = 'unified' appears twice"),
    ({"regions": (Region(" west", {"gpu": 10}),)}, "regions[0].name = ' west' is not a name"),
    ({"regions": tuple(Region(f"r{i}", {"gpu": 10}) for i in range(16))}, "regions = 16 items is too many; give at most 15"),
    ({"models": tuple(replace(MODEL, name=f"m{i}") for i in range(256))}, "models = 256 items is too many; give at most 255"),
    ({"vm_types": tuple(replace(VM, name=f"v{i}") for i in range(9))}, "vm_types = 9 items is too many"),
    ({"latency_s": ((0.0, 0.1),)}, "latency_s from 'west' = 2 numbers do not fit; give 1x1"),
    ({"latency_s": ()}, "latency_s = 0 rows do not fit"),
    ({"latency_s": ((-0.1,),)}, "latency_s from 'west' to 'west' = -0.1"),
    ({"latency_s": ((NAN,),)}, "latency_s from 'west' to 'west' = nan"),
    ({"vm_types": (replace(VM, gpus=0),)}, "vm_types['gpu'].gpus = 0"),
    ({"vm_types": (replace(VM, gpu_memory_bytes=0),)}, "vm_types['gpu'].gpu_memory_bytes = 0"),
    ({"vm_types": (replace(VM, price_usd_per_h=-1.0),)}, "vm_types['gpu'].price_usd_per_h = -1.0"),
    (
        {"regions": (Region("west", {"tpu": 10}),)},
        "regions['west'].vm_capacity = 'tpu' is not a VM type of this world; known: 'gpu'",
    ),
    ({"regions": (Region("west", {"gpu": -1}),)}, "regions['west'].vm_capacity['gpu'] = -1"),
    ({"regions": (Region("west", {"gpu": 1.5}),)}, "regions['west'].vm_capacity['gpu'] = 1.5"),
    ({"regions": (Region("west", {"gpu": 10}, ("n",)),)}, "regions['west'].stored_models = 'n' is not a model"),
    (model(weights_bytes=-1.0), "models['m'].weights_bytes = -1.0"),
    (model(weights_bytes=7e11), "models['m'].weights_bytes = 700000000000.0 leaves no room"),
    (model(kv_bytes_per_token=0.0), "models['m'].kv_bytes_per_token = 0.0"),
    (model(kv_bytes_per_token=NAN), "models['m'].kv_bytes_per_token = nan"),
    (model(profiles={}), "models['m'].profiles = {} is empty; give one for any of 'gpu'"),
    (model(profiles={"tpu": Profile(TABLE, TABLE)}), "models['m'].profiles = 'tpu' is not a VM type"),
    (prefill((1.0,), (1.0,)), "models['m'].profiles['gpu'].prefill = 1 tokens and 1 seconds"),
    (prefill((1.0, 2.0, 3.0), (1.0, 2.0)), "prefill = 3 tokens and 2 seconds"),
    (prefill((2.0, 1.0), (1.0, 2.0)), "prefill.tokens = 2.0, 1.0 does not increase"),
    (prefill((1.0, 1.0), (1.0, 2.0)), "prefill.tokens = 1.0, 1.0 does not increase"),
    (prefill((1.0, NAN), (1.0, 2.0)), "prefill.tokens = nan"),
    (prefill((1.0, 2.0), (0.0, 2.0)), "prefill.seconds = 0.0"),
    (prefill((1.0, 2.0), (2.0, 1.0)), "prefill.seconds = ..., 2.0, 1.0 falls at the end"),
    (prefill((10.0, 20.0), (0.1, 1.0)), "prefill at 1 token = -0.71"),
    (timed(base_s=-0.01), "models['m'].profiles['gpu'].base_s = -0.01 is out of range; give seconds, 1e-06 to"),
    (timed(sequence_s=-1e-9), "profiles['gpu'].sequence_s = -1e-09"),
    (timed(context_token_s=NAN), "profiles['gpu'].context_token_s = nan"),
    (timed(prefill_token_s=math.inf), "profiles['gpu'].prefill_token_s = inf"),
    (timed(prefill_context_s="1"), "profiles['gpu'].prefill_context_s = '1' is no number; give one"),
    (timed(base_s=0.0), "profiles['gpu'].base_s = 0.0 is out of range"),
    (timed(provenance=""), "profiles['gpu'].provenance = '' is no provenance; say in a line"),
    (timed(provenance=" "), "profiles['gpu'].provenance = ' ' is no provenance"),
    (timed(provenance="a\nb"), "profiles['gpu'].provenance = 'a\\nb' is no provenance"),
    (timed(provenance=None), "profiles['gpu'].provenance = None is no str; give one"),
    (model(profiles={"gpu": TABLE}), "profiles['gpu'] = "),
    ({"tiers": TIERS[:2]}, "tiers = ('IW-F', 'IW-N') must be ('IW-F', 'IW-N', 'NIW')"),
    ({"tiers": (TIERS[1], TIERS[0], TIERS[2])}, "tiers = ('IW-N', 'IW-F', 'NIW') must be"),
    (tier(slo_s=0.0), "tiers['IW-F'].slo_s = 0.0"),
    (tier(fcfs_offset_s=-1.0), "tiers['IW-F'].fcfs_offset_s = -1.0"),
    (tier(tpot_s=0.0), "tiers['IW-F'].tpot_s = 0.0"),
    (tier(tpot_s=NAN), "tiers['IW-F'].tpot_s = nan"),
    (pool(tiers=("IW-F", "IW-N")), "pool of tier 'NIW' = None is missing"),
    (pool(tiers=(*ALL, "gold")), "pools['unified'].tiers = 'gold' is not a tier"),
    (pool(tiers=(*ALL, "NIW")), "pools['unified'].tiers = 'NIW' appears twice"),
    (pool(instances={"n": 1}), "pools['unified'].instances = 'n' is not a model"),
    (pool(instances={"m": -1}), "pools['unified'].instances['m'] = -1"),
    (pool(instances={"m": 11}), "starting instances of 'm' in region 'west' = 11 is more than its 10 VMs of type 'gpu'"),
    (pool(spill_to="mixed"), "pools['unified'].spill_to = 'mixed' is not a pool"),
    (pool(spill_to="unified"), "pools['unified'].spill_to = unified closes a loop, unified -> unified"),
    (pool(spill_utilization=1.1), "pools['unified'].spill_utilization = 1.1"),
    ({"pools": (replace(POOL, spill_to="b"), Pool("b", (), {}, spill_to="unified"))}, "closes a loop, unified -> b -> unified"),
    ({"pools": (POOL, Pool("b", ("NIW",), {}))}, "pools['b'].tiers = ('NIW',) get no request"),
    ({"lead_times": LeadTimes(reclaim_s=-60.0)}, "lead_times.reclaim_s = -60.0"),
    ({"lead_times": LeadTimes(redeploy_s=NAN)}, "lead_times.redeploy_s = nan"),
    ({"lead_times": LeadTimes(remote_fetch_s=math.inf)}, "lead_times.remote_fetch_s = inf"),
    ({"serving": Serving(max_batch=0)}, "serving.max_batch = 0 is out of range; give a whole number, 1 to 512"),
    ({"serving": Serving(max_batch=513)}, "serving.max_batch = 513"),
    ({"serving": Serving(max_batch=True)}, "serving.max_batch = True"),
    ({"serving": Serving(iteration_overhead_s=-0.01)}, "serving.iteration_overhead_s = -0.01"),
    ({"serving": Serving(mixed_factor=0.0)}, "serving.mixed_factor = 0.0"),
    ({"serving": Serving(kv_admission="lazy")}, "serving.kv_admission = 'lazy'"),
    ({"serving": Serving(prefill_budget_tokens=511)}, "serving.prefill_budget_tokens = 511 is below max_batch = 512"),
    ({"serving": Serving(prefill_budget_tokens=0)}, "serving.prefill_budget_tokens = 0"),
    ({"serving": Serving(prefill_budget_tokens=1024.0)}, "serving.prefill_budget_tokens = 1024.0"),
    ({"serving": Serving(prefill_budget_tokens=2**31)}, "serving.prefill_budget_tokens = 2147483648"),
    ({"routing": Routing(utilization_threshold=70)}, "routing.utilization_threshold = 70 is not a utilization"),
    ({"routing": Routing(delay_s=-1.0)}, "routing.delay_s = -1.0"),
    ({"niw": NiwQueue(release_utilization=(0.5, 0.6))}, "niw.release_utilization = (0.5, 0.6) rises"),
    ({"niw": NiwQueue(release_utilization=(0.5,))}, "niw.release_utilization = (0.5,) is the wrong length"),
    ({"niw": NiwQueue(release_utilization=(6.0, 0.5))}, "niw.release_utilization = 6.0"),
    ({"niw": NiwQueue(release_count=(1, -2))}, "niw.release_count = -2"),
    ({"niw": NiwQueue(release_count=(1,))}, "niw.release_count = (1,) is the wrong length"),
    ({"niw": NiwQueue(promote_after_s=NAN)}, "niw.promote_after_s = nan"),
    ({"scaling": Scaling(tick_s=0.0)}, "scaling.tick_s = 0.0"),
    ({"scaling": Scaling(scale_out_utilization=1.5)}, "scaling.scale_out_utilization = 1.5"),
    ({"scaling": Scaling(scale_in_utilization=-0.1)}, "scaling.scale_in_utilization = -0.1"),
    ({"scaling": Scaling(scale_in_utilization=0.8)}, "scaling.scale_in_utilization = 0.8 is above scale_out_utilization = 0.7"),
    ({"scaling": Scaling(cool_down_s=-1.0)}, "scaling.cool_down_s = -1.0"),
    ({"scaling": Scaling(min_instances=-1)}, "scaling.min_instances = -1"),
    ({"scaling": Scaling(trigger="never")}, "scaling.trigger = 'never' is not a rule of trigger"),
    ({"scaling": Scaling(drains="first")}, "scaling.drains = 'first' is not a rule of drains"),
    ({"scaling": Scaling(lead_time_holds="both")}, "scaling.lead_time_holds = 'both' is not a rule of lead_time_holds"),
    ({"scaling": Scaling(scale_in_cool_down_s=-1.0)}, "scaling.scale_in_cool_down_s = -1.0"),
    ({"scaling": Scaling(scale_in_cool_down_s=math.inf)}, "scaling.scale_in_cool_down_s = inf"),
    ({"scaling": Scaling(emergency_utilization=NAN)}, "scaling.emergency_utilization = nan"),
    ({"scaling": Scaling(emergency_utilization=-0.1)}, "scaling.emergency_utilization = -0.1"),
    ({"routing": Routing(utilization_threshold=NAN)}, "routing.utilization_threshold = nan"),
    ({"dpa": Dpa(urgent_s=-1.0)}, "dpa.urgent_s = -1.0"),
    ({"dpa": Dpa(severe_s=NAN)}, "dpa.severe_s = nan"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_broken_rule_names_field_and_value_on_one_line(changes, message):
    with pytest.raises(InputError) as caught:
        validate(replace(WORLD, **changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"niw": NiwQueue(promote_after_s=math.inf)},
        {"lead_times": LeadTimes(0.0, 0.0, 0.0)},
        {"regions": (Region("west", {"gpu": 10}, ()),)},
        {"pools": (replace(POOL, spill_to="b"), Pool("b", (), {"m": 1}))},
        {"pools": (Pool("unified", ALL, {}),)},
        timed(sequence_s=0.0, context_token_s=0.0, prefill_token_s=0.0, prefill_context_s=0.0),
        tier(tpot_s=0.05),
        {"serving": Serving(max_batch=64, prefill_budget_tokens=64)},
    ],
)
def test_limits_that_are_allowed(changes):
    world = replace(WORLD, **changes)
    assert validate(world) is world


def test_starting_fleets_may_mix_vm_types_but_not_beyond_what_each_model_can_use():
    small = VMType("small", 8, 320 * 1024**3, 10.0)
    big_only = replace(MODEL, weights_bytes=500e9)
    anywhere = Model("n", 10e9, 100_000.0, {"gpu": Profile(TABLE, TABLE), "small": Profile(TABLE, TABLE)})
    region = Region("west", {"gpu": 4, "small": 4})
    world = replace(WORLD, vm_types=(VM, small), models=(big_only, anywhere), regions=(region,))
    validate(replace(world, pools=(Pool("unified", ALL, {"m": 3, "n": 5}),)))
    with pytest.raises(InputError, match="of 'm' in region 'west' = 5 is more than its 4 VMs of type 'gpu'"):
        validate(replace(world, pools=(Pool("unified", ALL, {"m": 5, "n": 1}),)))
    with pytest.raises(InputError, match="of 'm', 'n' in region 'west' = 9 is more than its 8 VMs of type 'gpu', 'small'"):
        validate(replace(world, pools=(Pool("unified", ALL, {"m": 4, "n": 5}),)))


def test_published_beyond_its_capacity():
    with pytest.raises(InputError, match="in region 'westus' = 104 is more than its 100 VMs"):
        validate(published(instances=26))
