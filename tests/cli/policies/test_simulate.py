"""``sageserve simulate``, end to end."""

import json

import pyarrow.parquet as pq
import pytest

SLICE = ("simulate", "o365-hour", "--hours", "0.05", "--scale", "0.2", "--instances", "2")


def test_it_shows_tables_and_writes_files(run, tmp_path):
    out = tmp_path / "runs" / "first"
    ran = run(*SLICE, "--resolution", "60", "--log-requests", "--out", out)
    assert ran.status == 0
    assert ran.err == ""
    for text in ("Service", "Fleet", "llama-3.2-3b", "IW-F (TTFT ≤ 1 s)", f"written: {out}"):
        assert text in ran.out
    assert max(len(line) for line in ran.out.splitlines() if str(out) not in line) <= 100
    files = {"scenario.json", "metrics.json", "metrics.parquet", "fleet.parquet", "series.parquet", "requests.parquet", "day.png"}
    assert {file.name for file in out.iterdir()} == files
    assert pq.read_table(out / "series.parquet").num_rows == 3
    assert json.loads((out / "scenario.json").read_text())["policy"] == "static"
    assert [item.name for item in out.parent.iterdir()] == ["first"]  # no scratch folder is left


def test_a_run_replaces_an_earlier_one(run, tmp_path):
    assert run(*SLICE, "--log-requests", "--out", tmp_path / "a").status == 0
    assert run(*SLICE, "--seed", "1", "--out", tmp_path / "a").status == 0
    assert not (tmp_path / "a" / "requests.parquet").exists()
    assert json.loads((tmp_path / "a" / "scenario.json").read_text())["seed"] == 1


def test_a_folder_with_other_things_needs_force(run, refused, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    error = refused(*SLICE, "--out", tmp_path)
    assert "holds 'thesis.tex'" in error
    assert "--force" in error
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    assert run(*SLICE, "--out", tmp_path, "--force").status == 0
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "metrics.json").exists()
    assert (tmp_path / "day.png").exists()


def test_a_trace_of_one_row_is_served_to_its_end(run, tmp_path):
    trace = tmp_path / "one.csv"
    trace.write_text("t_s,prompt_tokens,output_tokens\n0,500,400\n")
    for options, completed in (((), 0), (("--drain",), 1)):
        assert run("simulate", "--trace", trace, "--quiet", "--out", tmp_path / "out", *options).status == 0
        total = json.loads((tmp_path / "out" / "metrics.json").read_text())["service"][0]
        assert (total["arrived"], total["completed"]) == (1, completed)


def test_quiet_shows_nothing(run):
    ran = run(*SLICE, "--quiet")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


@pytest.mark.parametrize("order", ["EDF", "pf", "DPA"])
def test_orders_of_admission(run, order):
    assert run(*SLICE, "--order", order).status == 0


def test_policies_and_their_options(run, tmp_path):
    ran = run(
        *SLICE, "--policy", "reactive", "--policy-option", "cool-down-s=60", "--control-interval", "60", "--out", tmp_path / "a"
    )
    assert ran.status == 0
    facts = json.loads((tmp_path / "a" / "scenario.json").read_text())
    assert (facts["policy"], facts["policy_options"]["cool_down_s"], facts["control_interval_s"]) == ("reactive", 60, 60.0)


def test_a_part_of_the_workload(run, tmp_path):
    ran = run("simulate", "o365-week", "--start", "30", "--days", "0.01", "--scale", "0.01", "--out", tmp_path / "a")
    assert ran.status == 0
    assert json.loads((tmp_path / "a" / "scenario.json").read_text())["horizon_s"] == 864.0


def test_a_trace(run, tmp_path):
    trace = tmp_path / "t.csv"
    assert run("workload", "export", "o365-hour", trace, "--hours", "0.02").status == 0
    ran = run("simulate", "--trace", trace, "--instances", "1")
    assert ran.status == 0
    assert "t.csv" in ran.out


def test_a_prompt_that_fits_nowhere_is_rejected_and_counted(run, tmp_path):
    trace = tmp_path / "t.csv"
    row = "1.0,bloom-176b,westus,IW-F,{},10"
    trace.write_text(
        "\n".join(["arrival_s,model,region,tier,prompt_tokens,output_tokens", row.format(500_000), row.format(500), ""])
    )
    ran = run("simulate", "--trace", trace, "--instances", "1", "--out", tmp_path / "a")
    assert ran.status == 0
    assert "1 rejected" in ran.out
    assert "0 in flight" in ran.out


def test_ctrl_c_leaves_nothing(run, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sageserve_env.cli.running.run_episode", interrupt)
    ran = run(*SLICE, "--out", tmp_path / "a")
    assert (ran.status, ran.out, ran.err) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_that_no_figure_is_drawn(run, tmp_path, monkeypatch):
    monkeypatch.setattr("sageserve_env.cli.outputs.find_spec", lambda name: None)
    ran = run(*SLICE, "--out", tmp_path / "a")
    assert ran.status == 0
    assert "matplotlib is not installed" in ran.err
    assert (tmp_path / "a" / "metrics.json").exists()
