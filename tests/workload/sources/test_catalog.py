"""Named workloads, files by path, and what they describe and draw."""

import subprocess
import sys

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.workload import CATALOG, O365Week, Trace, azure2024, describe, load_workload, plot_rates, servegen, write_trace
from sageserve_env.workload.sources.o365_data import SUCCESSORS
from sageserve_env.world import load_world
from tests.workload.helpers import play, regular_trace, same, write_rows


@pytest.mark.parametrize("name", CATALOG)
def test_every_named_workload_plays(world, name):
    workload = load_workload(name)
    assert workload.name == name or name.startswith(workload.name)
    own = name.partition("-")[0]
    stream = workload.stream(load_world(own) if own in ("modern", "globe") else world, 0)
    assert stream.next_chunk().size > 1000
    assert load_workload(name, scale=0.5).duration_s == workload.duration_s


def test_the_modern_workloads_are_the_week_under_other_names(world):
    ours, theirs = (load_workload(f"{name}-hour") for name in ("modern", "o365"))
    modern = load_world("modern")
    first, second = ours.stream(modern, 3).next_chunk(), theirs.stream(world, 3).next_chunk()
    for field in ("arrival_s", "prompt_tokens", "output_tokens", "tier"):
        assert first[field].tolist() == second[field].tolist()
    pairs = {(world.models[b].name, modern.models[a].name) for a, b in zip(first["model"], second["model"], strict=True)}
    assert pairs == {*SUCCESSORS.items(), ("llama-3.1-8b", "llama-3.1-8b")}
    with pytest.raises(InputError, match="models: model 'gpt' is not in the O365 week"):
        O365Week(models={"gpt": "mine"})


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("o365-week", 7.2e6),
        ("scale2025-day", 10e6),
        ("scale2025-week", 70e6),
        ("azure2024-conv-week", 27_303_999),
        ("azure2024-code-week", 16_803_695),
        ("o365-2024-06-26", 519_163),
    ],
)
def test_totals(name, requests):
    assert load_workload(name).folded(0).expected().sum() == pytest.approx(requests, rel=1e-3)


def test_abouts_have_the_right_counts():
    words = {"k": 1e3, "M": 1e6}
    for name, entry in CATALOG.items():
        workload = load_workload(name)
        text = (
            entry.about.removesuffix(" requests").removesuffix(": 70 M").split(":")[-1].split("requests")[0].split(",")[0].split()
        )
        if hasattr(workload, "folded") and len(text) == 2 and text[1] in words:
            assert float(text[0]) * words[text[1]] == pytest.approx(workload.folded(0).expected().sum(), rel=0.06), name


def test_options():
    assert load_workload("o365-hour", cv=2, chunk_rows=10).chunk_rows == 10
    scaled = load_workload("scale2025-day", scale=0.1)
    assert scaled.folded(0).expected().sum() == pytest.approx(1e6)
    with pytest.raises(InputError, match=r"option 'colour' does not exist; it has scale, .*cv"):
        load_workload("o365-day", colour=1)
    with pytest.raises(InputError, match="scale: factor = 0"):
        load_workload("o365-day", scale=0)


def test_unknown_names_get_the_nearest():
    with pytest.raises(InputError, match=r"workload 'o365-wek' is not known; did you mean 'o365-week'\? names: o365-week, "):
        load_workload("o365-wek")
    with pytest.raises(InputError, match="names: o365-week"):
        load_workload("zzz")


def test_paths(tmp_path, world):
    path = regular_trace(tmp_path / "t.csv", 20)
    assert play(load_workload(path).stream(world, 0)).size == 20
    assert play(load_workload(str(path)).stream(world, 0)).size == 20
    with pytest.raises(InputError, match=r"nowhere\.csv: does not exist"):
        load_workload("nowhere.csv")


def test_unknown_services_and_models():
    with pytest.raises(InputError, match="service 'chat' is not known; take one of conv, code"):
        azure2024("chat")
    with pytest.raises(InputError, match="ServeGen model 'm-huge' is not known"):
        servegen("m-huge")
    with pytest.raises(InputError, match="start_s = 700000"):
        azure2024("conv", start_s=700_000)


def test_azure_curves_and_sizes(world):
    requests = play(azure2024("code", scale=0.05).stream(world, 0))
    assert requests["prompt_tokens"].mean() == pytest.approx(2511, rel=0.02)
    assert np.median(requests["prompt_tokens"]) == pytest.approx(1912, rel=0.1)
    hourly = np.bincount((requests["arrival_s"] / 3600).astype(int))
    assert hourly.std() / hourly.mean() == pytest.approx(0.84, abs=0.03)  # of the original file: 0.848


def test_servegen_rates_and_missing_windows(world):
    workload = servegen("m-small", scale=0.01)
    rate = workload.intensity.rate.sum(axis=0)
    assert (rate > 0).all()
    assert rate.mean() == pytest.approx(0.01 * 1174, rel=0.03)
    requests = play(servegen("deepseek-r1").stream(world, 0))
    assert requests.size / 86_400 == pytest.approx(16.01, rel=0.02)
    assert set(requests["model"]) == {1}


def test_servegen_is_burstier_than_poisson(world):
    times = play(servegen("m-large", scale=0.1, duration_s=3600).stream(world, 0))["arrival_s"]
    counts = np.bincount(times.astype(int), minlength=3600)
    assert counts.var() / counts.mean() > 1.3


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_written_traces_come_back_bit_for_bit(tmp_path, world, suffix):
    workload = O365Week(36_000, 600, chunk_rows=1000)
    path = tmp_path / f"t{suffix}"
    assert write_trace(workload, world, path, seed=3) == play(workload.stream(world, 3)).size
    assert same(play(workload.stream(world, 3)), play(Trace(path).stream(world, 99)))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_writer_errors(tmp_path, world):
    with pytest.raises(InputError, match=r"suffix '\.xls'"):
        write_trace(O365Week(0, 60), world, tmp_path / "t.xls")
    with pytest.raises(InputError, match="nowhere does not exist"):
        write_trace(O365Week(0, 60), world, tmp_path / "nowhere" / "t.csv")


def test_describe_counts_and_percentiles(world):
    workload = O365Week(36_000, 3600)
    requests = play(workload.stream(world, 5))
    description = describe(workload, world, 5)
    total = description.groups[-1]
    assert (total.requests, total.model) == (requests.size, "all")
    assert total.mean_rps == pytest.approx(requests.size / 3600)
    assert total.peak_per_min == np.bincount((requests["arrival_s"] / 60).astype(int)).max()
    group = description.groups[0]
    assert (group.model, group.tier) == ("llama-2-70b", "IW-F")
    rows = requests[(requests["model"] == 0) & (requests["tier"] == 0)]
    assert group.requests == rows.size
    assert group.prompt_mean == pytest.approx(rows["prompt_tokens"].mean())
    np.testing.assert_allclose(
        group.prompt, np.percentile(rows["prompt_tokens"], [5, 50, 95, 99], method="inverted_cdf"), rtol=0.01
    )
    np.testing.assert_allclose(
        group.output, np.percentile(rows["output_tokens"], [5, 50, 95, 99], method="inverted_cdf"), rtol=0.01
    )
    rows = description.as_rows()
    assert len(rows) == 13
    assert all(len(row) == len(description.columns) for row in rows)
    assert description.requests_per_min.sum() == requests.size


def test_describe_small_and_uneven(tmp_path, world):
    description = describe(Trace(write_rows(tmp_path / "t.csv", ["61.5,bloom-176b,eastus,NIW,1,1"])), world)
    assert description.groups[-1].requests == 1
    assert description.groups[-1].prompt == pytest.approx((1, 1, 1, 1), rel=0.01)
    assert description.requests_per_min.shape == (4, 3, 2)


@pytest.mark.parametrize("name", ["o365-hour", "mooncake"])
def test_plots(tmp_path, world, name):
    pytest.importorskip("matplotlib")
    path = plot_rates(load_workload(name), world, tmp_path / "rates.png")
    assert path.stat().st_size > 20_000


def test_plot_errors(tmp_path, world, monkeypatch):
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=r"suffix '\.xyz'"):
        plot_rates(O365Week(0, 60), world, tmp_path / "rates.xyz")
    with pytest.raises(InputError, match="nowhere does not exist"):
        plot_rates(O365Week(0, 60), world, tmp_path / "nowhere" / "rates.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'sageserve-env\[plots\]'"):
        plot_rates(O365Week(0, 60), world, tmp_path / "rates.png")


def test_importing_the_room_imports_neither_matplotlib_nor_pandas():
    code = "import sys, sageserve_env.workload; print([m for m in ('matplotlib', 'pandas') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
