import dataclasses
import itertools
import pickle
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from sageserve_env.env.rendering.dashboard import Dashboard
from sageserve_env.env.rendering.fleet import FleetMap, fit_squares
from sageserve_env.env.rendering.history import MOST_SLOTS, History, read_attainment
from sageserve_env.errors import InputError
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.sim.simulator import Simulator
from sageserve_env.workload import O365Week
from sageserve_env.world import published

STEP_S = 300.0
DAY_S = 86_400.0
WEDNESDAY_S = 2 * DAY_S
NO_TTFT = np.full(3, np.nan)
TTFT = np.array([0.4, 2.5, 700.0])
NOTHING = {"vm_usd": 0.0, "breach_usd": 0.0}


def make_world(n_regions=3, n_models=4, *, vms=100, instances=8):
    world = published(instances=instances, vm_capacity=vms)
    models = tuple(dataclasses.replace(world.models[m % 4], name=f"model-{m}") for m in range(n_models))
    regions = tuple(dataclasses.replace(world.regions[0], name=f"region-{r}") for r in range(n_regions))
    pool = dataclasses.replace(world.pools[0], instances={model.name: instances for model in models})
    latency_s = ((0.01,) * n_regions,) * n_regions
    return dataclasses.replace(world, regions=regions, latency_s=latency_s, models=models, pools=(pool,))


def make_telemetry(world, now_s, active=6):
    """Every endpoint alike; 2 requests of 1000 prompt tokens each second for each origin and tier."""
    shape = (len(world.regions), len(world.models))
    place = np.array(list(itertools.product(range(shape[0]), range(shape[1]))))
    n, counts, lane = len(place), np.zeros((len(place), 1), np.int64), np.zeros((len(place), 3), np.int64)
    vms = np.array([[sum(region.vm_capacity.values())] for region in world.regions])
    values = {field.name: counts for field in dataclasses.fields(Telemetry)}
    lanes = ("waiting", "waiting_tokens", "running", "routed", "routed_tokens", "slo_unattainable")
    values |= dict.fromkeys(lanes, lane)
    values |= {"completed": lane + 4, "slo_met": lane + 3, "now_s": now_s}
    values |= {"region": place[:, 0], "model": place[:, 1], "pool": np.zeros(n, np.int64)}
    values |= {"active": counts + active, "provisioning": counts + 2, "draining": counts + 1}
    values |= {"spot": vms - (active + 3) * shape[1], "utilization": np.full(n, 0.54), "spot_s": vms * now_s}
    values |= {"arrived": np.full((*shape, 3), int(2 * now_s)), "arrived_tokens": np.full((*shape, 3), int(2000 * now_s))}
    values |= {"queued": np.full(shape, 7), "oldest_queued_s": np.full(shape, 95.0), "rejected": np.zeros((*shape, 3), np.int64)}
    return Telemetry(**values)


def make_dashboard(world, *, horizon_s=DAY_S, step_s=STEP_S):
    return Dashboard(world, "SageServe/Test-v0", horizon_s, WEDNESDAY_S, step_s)


def play(dashboard, world, steps, first=1):
    for step in range(first, first + steps):
        terms = {"vm_usd": 1000.0, "breach_usd": 10.0}
        dashboard.update(make_telemetry(world, step * STEP_S, active=4 + step % 5), terms, TTFT * step)
    return dashboard


def test_frames_have_one_shape_and_change():
    world = make_world()
    dashboard = make_dashboard(world)
    frames = [dashboard.frame()]
    for step in range(3):
        frames.append(play(dashboard, world, 1, first=1 + step).frame())
    assert {(frame.shape, frame.dtype.name, frame.flags.c_contiguous) for frame in frames} == {((720, 1280, 3), "uint8", True)}
    assert all(np.any(a != b) for a, b in itertools.pairwise(frames))
    kept = frames[1].copy()
    frames[2][...] = 0
    assert np.array_equal(frames[1], kept)


def test_frames_depend_on_the_episode_only():
    """Not on the frames drawn before, nor on the user's matplotlib style."""
    world = make_world()
    often, once = make_dashboard(world), make_dashboard(world)
    for step in range(1, 6):
        play(often, world, 1, first=step).frame()
    play(once, world, 5)
    with matplotlib.rc_context({"axes.facecolor": "black", "text.color": "white", "font.size": 20}):
        assert np.array_equal(often.frame(), once.frame())
    assert np.array_equal(once.frame(), once.frame())


@pytest.mark.parametrize(
    ("regions", "models", "vms"),
    [(1, 1, 10), (3, 1, 40), (15, 4, 100), (15, 12, 2000), (2, 60, 1000)],
    ids=["least", "mini", "most regions", "crowded", "many models"],
)
def test_any_fleet_fits(regions, models, vms):
    world = make_world(regions, models, vms=vms, instances=2)
    dashboard = play(make_dashboard(world), world, 2)
    assert dashboard.frame().shape == (720, 1280, 3)
    lines = dashboard.ansi().split("\n")
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    for region in world.regions:
        assert any(line.startswith(region.name) for line in lines)


def test_the_rejected_count_as_not_served():
    world = make_world(1, 1)
    seen = dataclasses.replace(make_telemetry(world, STEP_S), rejected=np.array([[[2, 0, 4]]]))
    assert read_attainment(seen).tolist() == [3 / 6, 3 / 4, 3 / 8, 9 / 18]


def test_nothing_completed_and_nobody_active():
    world = make_world(1, 1)
    dashboard = make_dashboard(world)
    dashboard.update(make_telemetry(world, STEP_S, active=0), NOTHING, NO_TTFT)
    assert dashboard.frame().shape == (720, 1280, 3)
    assert "–" in dashboard.ansi()


def test_before_the_first_step():
    world = make_world()
    dashboard = make_dashboard(world)
    before = dashboard.frame()
    dashboard.update(make_telemetry(world, 0.0), NOTHING, NO_TTFT)
    assert np.any(dashboard.frame() != before)
    assert "Wed 00:00" in dashboard.ansi()
    assert "spent $0 " in dashboard.ansi()


def test_beyond_the_horizon_and_the_axes():
    world = make_world(1, 1)
    dashboard = make_dashboard(world, horizon_s=2 * STEP_S)
    for step in range(1, 5):
        dashboard.update(make_telemetry(world, step * STEP_S, active=90), {"vm_usd": 1e6, "breach_usd": 1e7}, TTFT * 1e9)
        assert dashboard.frame().shape == (720, 1280, 3)


def test_ansi_says_what_matters():
    world = make_world()
    text = play(make_dashboard(world), world, 175).ansi()
    for words in ("Wed 14:35", "spent $176,750", "VMs $175,000", "SLO breaches $1,750", "now $12,120/h", "SLO met 75.0 %"):
        assert words in text
    for words in ("NIW queued 84", "1.58 min", "4 +2 -1 ▅ 54%", "region-2", "model-3", "72.0 requests/s, 72 k tokens/s"):
        assert words in text
    assert text.isprintable() is False
    assert "\x1b" not in text


def test_a_fresh_simulator_is_what_the_dashboard_starts_with():
    world = published(instances=3)
    sim = Simulator(world, O365Week(duration_s=600.0))
    history = History(world, "", DAY_S, 0.0, STEP_S)
    start = history.fleet
    history.add(sim.telemetry(), NOTHING, NO_TTFT)
    for field in dataclasses.fields(start):
        assert np.array_equal(getattr(start, field.name), getattr(history.fleet, field.name)), field.name
    assert history.initial_instances == 36
    assert history.initial_usd_per_h == pytest.approx(36 * 98.32)


def test_pools_are_merged_by_region_and_model():
    world = make_world(2, 2, instances=1)
    second = dataclasses.replace(world.pools[0], name="second", tiers=())
    world = dataclasses.replace(world, pools=(dataclasses.replace(world.pools[0]), second))
    one = make_telemetry(world, 0.0)
    twice = {name: np.repeat(getattr(one, name), 2, axis=0) for name in ("active", "provisioning", "draining", "utilization")}
    twice["active"] = np.arange(8).reshape(8, 1)
    twice["utilization"] = np.linspace(0.0, 0.7, 8)
    history = History(world, "", DAY_S, 0.0, STEP_S)
    history.add(dataclasses.replace(one, **twice), NOTHING, NO_TTFT)
    assert np.array_equal(history.fleet.active, [[1, 5], [9, 13]])
    assert history.fleet.utilization == pytest.approx(np.array([[0.1, (0.4 + 0.9) / 5], [(1.6 + 2.5) / 9, (3.6 + 4.9) / 13]]))


def test_load_is_in_instances():
    world = make_world(1, 1)
    history = History(world, "", DAY_S, 0.0, STEP_S)
    history.add(make_telemetry(world, STEP_S), NOTHING, NO_TTFT)
    prefill = world.models[0].profiles["h100-80gb-x8"].prefill
    assert history.needed[0] == pytest.approx(np.full(3, 2000 * prefill.seconds[-1] / prefill.tokens[-1]))


def test_long_episodes_merge_steps():
    world = make_world(1, 1)
    history = History(world, "", 7 * DAY_S, 0.0, STEP_S)
    for step in range(1, 2017):
        history.add(make_telemetry(world, step * STEP_S), {"vm_usd": 1.0, "breach_usd": 0.5}, TTFT if step % 4 == 2 else TTFT / 9)
    assert history.slots == history.filled == 504 <= MOST_SLOTS
    assert history.spent_usd == (2016.0, 1008.0)
    assert np.array_equal(history.vm_usd, 4.0 * np.arange(1, 505))
    assert np.all(history.ttft_p95_s == TTFT)
    assert history.needed == pytest.approx(np.broadcast_to(history.needed[0], history.needed.shape))


def test_a_restored_snapshot_cuts_the_history():
    world = make_world(1, 2)
    straight, turned = make_dashboard(world), make_dashboard(world)
    play(straight, world, 5)
    play(turned, world, 9)
    play(turned, world, 3, first=3)
    assert turned.ansi() == straight.ansi()
    assert np.array_equal(turned.frame(), straight.frame())


def test_restart_forgets():
    world = make_world(1, 1)
    dashboard = play(make_dashboard(world), world, 4)
    dashboard.frame()
    dashboard.restart(world, WEDNESDAY_S)
    assert np.array_equal(dashboard.frame(), make_dashboard(world).frame())


def test_pickling_keeps_the_history():
    world = make_world(1, 1)
    dashboard = play(make_dashboard(world), world, 3)
    frame = dashboard.frame()
    assert np.array_equal(pickle.loads(pickle.dumps(dashboard)).frame(), frame)


def test_squares_and_bars():
    world = make_world(1, 1, vms=20, instances=1)
    history = History(world, "", DAY_S, 0.0, STEP_S)
    history.add(make_telemetry(world, STEP_S), NOTHING, NO_TTFT)
    fleet_map = FleetMap(world, (0, 0, 400, 200), (200, 400))
    frame = np.full((200, 400, 3), 255, np.uint8)
    fleet_map.paint(frame, history.fleet)
    pixels = {
        colour: int((frame == list(bytes.fromhex(colour))).all(axis=2).sum()) for colour in ("009E73", "E69F00", "56B4E9", "B8BCC2")
    }
    square = pixels["56B4E9"]
    assert square > 100
    assert pixels == {"009E73": 6 * square, "E69F00": 2 * square, "56B4E9": square, "B8BCC2": 11 * square}
    used, unused = ((frame == list(bytes.fromhex(colour))).all(axis=2).sum() for colour in ("4B5563", "DADDE2"))
    assert used / (used + unused) == pytest.approx(0.54, abs=0.01)


@pytest.mark.parametrize(("vms", "width", "height"), [(1, 5, 5), (40, 240, 130), (100, 84, 135), (101, 84, 12), (9999, 1, 1)])
def test_squares_fit(vms, width, height):
    per, pitch = fit_squares(vms, width, height)
    assert (width // pitch) * (height // pitch) * per >= vms or (width // pitch) * (height // pitch) == 0


RGB_ONLY = """
import sys
from sageserve_env.env.rendering.dashboard import Dashboard
from sageserve_env.world import published
dashboard = Dashboard(published(), "", 3600.0, 0.0, 60.0)
assert dashboard.ansi()
assert "matplotlib" not in sys.modules
dashboard.frame()
assert "matplotlib.pyplot" not in sys.modules
"""


def test_text_needs_no_matplotlib_and_frames_no_pyplot():
    subprocess.run([sys.executable, "-c", RGB_ONLY], check=True)


def test_missing_matplotlib_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    dashboard = make_dashboard(make_world(1, 1))
    assert dashboard.ansi()
    with pytest.raises(InputError, match=r"sageserve-env\[plots\]"):
        dashboard.frame()
    with pytest.raises(InputError, match=r"sageserve-env\[plots\]"):
        dashboard.show()


def test_no_display_is_said(monkeypatch):
    dashboard = make_dashboard(make_world(1, 1))
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "agg")
    with pytest.raises(InputError, match="no display"):
        dashboard.show()


def pretend_display(monkeypatch):
    """Windows on the Agg backend, which nobody sees."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "qtagg")
    monkeypatch.setattr(pyplot, "show", lambda block: None)
    return pyplot


def test_a_toolkit_that_fails_is_said(monkeypatch):
    pyplot = pretend_display(monkeypatch)

    def fail(**_):
        raise RuntimeError("couldn't connect to display")

    monkeypatch.setattr(pyplot, "figure", fail)
    with pytest.raises(InputError, match="no display"):
        make_dashboard(make_world(1, 1)).show()


def test_a_window_opens_updates_and_closes(monkeypatch):
    pyplot = pretend_display(monkeypatch)
    world = make_world(1, 1)
    dashboard = make_dashboard(world)
    before = pyplot.get_fignums()
    dashboard.show()
    play(dashboard, world, 1).show()
    dashboard.restart(world, 0.0)
    dashboard.show()
    assert len(pyplot.get_fignums()) == len(before) + 1
    dashboard.close()
    dashboard.close()
    assert pyplot.get_fignums() == before
    assert dashboard.frame().shape == (720, 1280, 3)
