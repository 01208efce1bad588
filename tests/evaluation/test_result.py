import dataclasses
import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

import sageserve_env
from baselines import StaticPolicy
from sageserve_env.errors import InputError
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs import result as module
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.scenarios import Scenario
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import published

FILES = {"scenario.json", "metrics.json", "metrics.parquet", "fleet.parquet", "series.parquet", "requests.parquet"}


@pytest.fixture(scope="module")
def result():
    world = published(instances=4)
    scenario = Scenario("slice", world, O365Week(start_s=126_000.0, duration_s=120.0, scale=0.3), duration_s=600.0)
    return run_episode(scenario, StaticPolicy(), seed=5, resolution_s=100.0, log_requests=True)


def refuse(constant):
    raise AssertionError(f"{constant} in JSON")


def test_what_is_saved_is_loaded(result, tmp_path):
    folder = result.save(tmp_path / "deep" / "run")
    assert {item.name for item in folder.iterdir()} == FILES
    again = Result.load(folder)
    assert again.metrics.to_dict() == result.metrics.to_dict()
    assert again.series.keys() == result.series.keys()
    for name, column in result.series.items():
        np.testing.assert_array_equal(again.series[name], column)
        assert again.series[name].dtype == column.dtype
    assert again.requests is None
    rest = {field.name for field in dataclasses.fields(Result)} - {"metrics", "series", "requests"}
    for name in rest:
        assert getattr(again, name) == getattr(result, name), name


def test_json_is_strict_and_says_what_made_it(result, tmp_path):
    folder = result.save(tmp_path / "run")
    facts, _ = (json.loads((folder / name).read_text(), parse_constant=refuse) for name in ("scenario.json", "metrics.json"))
    assert facts["seed"] == 5
    assert facts["policy_options"] == {"instances": None, "admission_order": "FCFS"}
    assert facts["versions"]["sageserve_env"] == sageserve_env.__version__


def test_tables_hold_null_for_what_did_not_happen(result, tmp_path):
    folder = result.save(tmp_path / "run")
    series = pq.read_table(folder / "series.parquet")
    assert series["ttft_p95_s/IW-F"].null_count == np.isnan(result.series["ttft_p95_s/IW-F"]).sum() > 0
    service = pq.read_table(folder / "metrics.parquet").to_pylist()
    assert service == result.metrics.to_dict()["service"]
    requests = pq.read_table(folder / "requests.parquet")
    log = result.requests
    assert requests.num_rows == len(log)
    assert requests["completion_s"].null_count == log["rejected"].sum()
    assert requests["decode_start_s"].null_count == np.isinf(log["decode_start_s"]).sum()
    names = [model.name for model in result.world.models]
    assert requests["model"].to_pylist() == [names[model] for model in log["model"]]


def test_rejected_requests_have_no_place(tmp_path):
    world = published(instances=2)
    small = tuple(dataclasses.replace(model, kv_bytes_per_token=model.kv_bytes_per_token * 40) for model in world.models)
    world = dataclasses.replace(world, models=small)
    result = run_episode(Scenario("tight", world, O365Week(duration_s=60.0)), StaticPolicy(), log_requests=True)
    assert result.metrics.total.rejected > 0
    rows = [row for row in pq.read_table(result.save(tmp_path / "run") / "requests.parquet").to_pylist() if row["rejected"]]
    assert len(rows) == result.metrics.total.rejected
    assert all(row[name] is None for row in rows for name in ("region", "pool", "instance", "vm", "completion_s"))


def test_an_earlier_result_is_replaced(result, tmp_path):
    folder = result.save(tmp_path / "run")
    (folder / "day.png").write_bytes(b"old")
    dataclasses.replace(result, requests=None, seed=6).save(folder)
    assert {item.name for item in folder.iterdir()} == FILES - {"requests.parquet"}
    assert Result.load(folder).seed == 6


def test_other_files_are_never_lost(result, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex', which is no part of a result"):
        result.save(tmp_path)
    with pytest.raises(InputError, match="is a file; choose another"):
        result.save(tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_failed_save_leaves_the_earlier_result_and_no_litter(result, tmp_path, monkeypatch):
    folder = result.save(tmp_path / "run")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "request_table", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        dataclasses.replace(result, seed=6).save(folder)
    assert Result.load(folder).seed == 5
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scenario.json", None, "cannot be read"),
        ("metrics.json", "{", "cannot be read"),
        ("metrics.json", "{}", "is missing or wrong"),
        ("metrics.json", "[]", "holds no JSON object"),
        ("scenario.json", '{"format": 99}', "has format 99; this version reads 1"),
        ("series.parquet", "text", "cannot be read"),
    ],
)
def test_a_broken_result_is_named(result, tmp_path, name, text, message):
    path = result.save(tmp_path / "run") / name
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        Result.load(tmp_path / "run")


def test_the_series_is_a_frame(result, monkeypatch):
    pytest.importorskip("pandas")
    frame = result.series_frame()
    assert frame["time_s"].tolist() == [100.0, 200.0, 300.0, 400.0, 500.0, 600.0]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"sageserve-env\[data\]"):
        result.series_frame()
