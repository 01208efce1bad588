"""Bad input: status 2, one line that names what is wrong and the remedy, and no output folder."""

import gzip

import pytest

HEAD = "arrival_s,model,region,tier,prompt_tokens,output_tokens"
GOOD = "1.0,bloom-176b,westus,IW-F,100,10"

BAD_ROWS = {
    "0.5,bloom-176b,westus,IW-F,100,10": ("row 2", "0.5", "sort the trace"),
    "-1.0,bloom-176b,westus,IW-F,100,10": ("row 2", "arrival_s = '-1.0'", "count from 0"),
    "nan,bloom-176b,westus,IW-F,100,10": ("row 2", "arrival_s = 'nan'", "give seconds"),
    "soon,bloom-176b,westus,IW-F,100,10": ("row 2", "arrival_s = 'soon'", "give a number"),
    "2.0,bloom-176b,westus,IW-F,0,10": ("row 2", "prompt_tokens = '0'", "give tokens >= 1"),
    "2.0,bloom-176b,westus,IW-F,100,1.5": ("row 2", "output_tokens = '1.5'", "give tokens >= 1"),
    "2.0,bloom-176b,westus,IW-F,,10": ("row 2", "prompt_tokens = nothing", "give a number"),
    "2.0,gpt-9,westus,IW-F,100,10": ("row 2", "gpt-9", "bloom-176b"),
    "2.0,bloom-176b,mars,IW-F,100,10": ("row 2", "mars", "westus"),
    "2.0,bloom-176b,westus,VIP,100,10": ("row 2", "tier = 'VIP'", "IW-F, IW-N, NIW"),
    "2.0,bloom-176b": ("row 2", "has 2 fields", "give the header's 6"),
}


@pytest.fixture
def refuses_trace(refused, tmp_path):
    """Checks that a trace file is refused with a line that holds these texts, and that no output folder is left."""

    def check(trace, *texts):
        error = refused("simulate", "--trace", trace, "--out", tmp_path / "out")
        for text in (trace.name, *texts):
            assert text in error
        assert not (tmp_path / "out").exists()

    return check


@pytest.mark.parametrize(("row", "texts"), BAD_ROWS.items())
def test_a_bad_row(refuses_trace, tmp_path, row, texts):
    trace = tmp_path / "bad.csv"
    trace.write_text("\n".join([HEAD, GOOD, row, ""]))
    refuses_trace(trace, *texts)


FILES = {
    "empty.csv": (b"", "give"),
    "header.csv": (HEAD.encode() + b"\n", "give at least one row"),
    "other.csv": (b"a,b\n1,2\n", "columns a, b are not a trace's"),
    "lacks.csv": (b"arrival_s,model,region,prompt_tokens,output_tokens\n1,bloom-176b,westus,1,1\n", "'tier' is missing"),
    "latin.csv": (HEAD.encode() + b"\n1,bloom-\xff,westus,IW-F,1,1\n", "UTF-8"),
    "cut.parquet": (b"PAR1\x15\x04\x15", "not a whole Parquet file"),
    "cut.csv.gz": (gzip.compress((HEAD + "\n" + f"{GOOD}\n" * 5000).encode())[:-20], "cut.csv.gz"),
    "bad.jsonl": (b'{"arrival_s": \n', "give one JSON object on each line"),
}


@pytest.mark.parametrize(("name", "content", "text"), [(name, *rest) for name, rest in FILES.items()])
def test_a_bad_file(refuses_trace, tmp_path, name, content, text):
    trace = tmp_path / name
    trace.write_bytes(content)
    refuses_trace(trace, text)


def test_a_truncated_parquet(run, refuses_trace, tmp_path):
    trace = tmp_path / "t.parquet"
    assert run("workload", "export", "o365-hour", trace, "--hours", "0.02").status == 0
    trace.write_bytes(trace.read_bytes()[:-100])
    refuses_trace(trace, "not a whole Parquet file")


def test_a_trace_that_does_not_exist(refuses_trace, tmp_path):
    refuses_trace(tmp_path / "none.csv", "is no file")


OPTIONS = [
    (["o365-dya"], ["'o365-dya'", "did you mean 'o365-day'?"]),
    (["o365-hour", "--world", "mars"], ["world = 'mars'"]),
    (["o365-hour", "--policy", "reactiv"], ["policy = 'reactiv'", "did you mean 'reactive'?"]),
    (["o365-hour", "--policy-option", "speed"], ["--policy-option = 'speed'", "give NAME=VALUE"]),
    (["o365-hour", "--policy-option", "speed=3"], ["speed", "it takes: instances"]),
    (["o365-hour", "--order", "LIFO"], ["--order = LIFO", "FCFS, EDF, PF, DPA"]),
    (["o365-hour", "--instances", "0"], ["--instances = 0"]),
    (["o365-hour", "--instances", "26"], ["--instances = 26", "vm_capacity"]),
    (["o365-hour", "--instances", "two"], ["--instances", "see sageserve simulate --help"]),
    (["o365-hour", "--seed", "-1"], ["seed = -1"]),
    (["o365-hour", "--scale", "0"], ["scale", "0"]),
    (["o365-hour", "--start", "2"], ["--start = 2 is past the 1 h"]),
    (["o365-hour", "--hours", "-1"], ["-"]),
    (["o365-hour", "--hours", "nan"], ["nan"]),
    (["o365-hour", "--hours", "1", "--days", "1"], ["--hours 1 and --days 1", "give one of them"]),
    (["o365-hour", "--policy", "reactive", "--policy-option", "cool_down_s=.inf"], ["cool_down_s = inf", "give seconds"]),
    (["o365-hour", "--policy", "reactive", "--policy-option", "scale_out_utilization=x"], ["scale_out_utilization = x"]),
    (["o365-hour", "--policy", "reactive", "--policy-option", "min_instances=[1]"], ["instances = [1]"]),
    (["o365-hour", "--policy", "static", "--policy-option", "instances=1e300"], ["instances = 1e300"]),
    (["o365-hour", "--policy", "siloed", "--policy-option", "interactive=10000000000"], ["interactive = 10000000000"]),
    (["o365-hour", "--policy", "chiron", "--policy-option", "busy_share=x"], ["busy_share = x"]),
    (["o365-hour", "--policy", "lt-i", "--policy-option", "window_s=1e-300"], ["window_s = '1e-300'", "divide an hour"]),
    (["o365-hour", "--policy", "lt-i", "--policy-option", "throughput=fast"], ["throughput = 'fast'"]),
    (["o365-hour", "--policy", "lt-i", "--policy-option", "niw_share=.nan"], ["niw_share = nan"]),
    (["o365-hour", "--policy", "lt-ua", "--policy-option", "out_factor=.inf"], ["out_factor = inf"]),
    (["o365-hour", "--policy", "oracle", "--policy-option", "epsilon=[]"], ["epsilon = []"]),
    (["o365-hour", "--control-interval", "0"], ["--control-interval = 0"]),
    (["o365-hour", "--resolution", "nan"], ["--resolution = nan"]),
    (["o365-hour", "--trace", "x.csv"], ["workload = 'o365-hour'", "give one of them"]),
    (["o365-hour", "--wheels", "3"], ["--wheels", "see sageserve simulate --help"]),
]


@pytest.mark.parametrize(("arguments", "texts"), OPTIONS, ids=lambda value: " ".join(value)[:40])
def test_a_bad_option(refused, tmp_path, arguments, texts):
    error = refused("simulate", *arguments, "--out", tmp_path / "out")
    for text in texts:
        assert text in error
    assert list(tmp_path.iterdir()) == []


def test_out_is_a_file(refused, tmp_path):
    (tmp_path / "out").write_text("mine")
    assert "is a file; choose another" in refused("simulate", "o365-hour", "--out", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_out_lies_in_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "cannot be written" in refused("simulate", "o365-hour", "--out", tmp_path / "file" / "out")


def test_a_pool_that_is_too_small(refused, tmp_path):
    world = tmp_path / "small.yaml"
    world.write_text(
        "extends: published\nregions:\n  - {name: westus, vm_capacity: {h100-80gb-x8: 70}}\n  - centralus\n  - eastus\n"
    )
    error = refused("simulate", "o365-hour", "--world", world, "--out", tmp_path / "out")
    assert "small.yaml" in error
    assert "70" in error
    assert not (tmp_path / "out").exists()


BAD_WORLDS = {
    "regions: [{name: westus, carbon: {zone: here, file: gap.csv}}, eastus2]": ["gap.csv row 2", "follows a gap", "T01:00"],
    "regions: [{name: westus, carbon: {zone: DE}}, eastus2]": ["regions['westus'].carbon", "no zone 'DE'", "'DE-LU'"],
    "regions: [{name: westus, price_by_hour: [1, 1, null]}, eastus2]": ["regions[0].price_by_hour[2] = None", "give one"],
    "regions: [{name: westus, price_by_hour: [1, 1, 1]}, eastus2]": ["regions['westus'].price_by_hour = 3 factors", "24 or 168"],
    "faults: {failures_per_vm_day: 1}": ["faults.failures_per_vm_day = 1.0", "up 10.3% of the time", "give at most 0.115"],
    "faults: {outages_per_region_day: 24}": ["faults.outages_per_region_day = 24.0", "0 to less than 24"],
    "regions: [westus]\nfaults: {planned_outages: [{region: westus, start_s: 1, duration_s: 2}]}": [
        "regions = 'westus' are all out at 1 s",
        "leave one region up",
    ],
    "regions: [westus, eastus2]\nlatency_s: [[0, 0.1], [0.1]]": ["latency_s from 'eastus2' = 1 numbers", "give 2x2 seconds"],
    "regions: [westus, eastus2]\nlatency_s: [[0, 0.1], [null, 0]]": ["latency_s[1][0] = None", "give one"],
}


@pytest.mark.parametrize("text", BAD_WORLDS)
def test_worlds_with_gaps_and_impossible_faults(refused, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)  # a long path would have the middle of a long message left out
    (tmp_path / "gap.csv").write_text("utc,here\n2024-01-01T00:00,1\n2024-01-01T02:00,2\n")
    (tmp_path / "mine.yaml").write_text(f"extends: globe\n{text}\n")
    error = refused("world", "check", "mine.yaml")
    assert all(part in error for part in ["mine.yaml", *BAD_WORLDS[text]])


def test_a_trace_that_the_world_does_not_serve(refused, tmp_path):
    world = tmp_path / "one.yaml"
    world.write_text(
        "extends: published\nmodels: [llama-2-70b]\npools: [{name: all, tiers: [IW-F, IW-N, NIW], instances: {llama-2-70b: 2}}]\n"
    )
    assert "bloom-176b" in refused("simulate", "o365-hour", "--world", world, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


ABSURD = {
    "--hours": ("inf", "nan", "1e300", "-1", "0", "1e-300"),
    "--days": ("inf", "nan", "1e300", "-1", "0", "1e-300"),
    "--start": ("inf", "nan", "1e300", "-1"),
    "--scale": ("inf", "nan", "1e300", "-1", "0", "1e-300"),
    "--control-interval": ("inf", "nan", "1e300", "-1", "0", "1e-300"),
    "--resolution": ("inf", "nan", "1e300", "-1", "0", "1e-300"),
    "--seed": (str(10**30), "-1", "nan", "1.5", "9" * 5000),
    "--instances": (str(10**9), str(10**30), "-1", "0", "nan"),
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option, values in ABSURD.items() for value in values])
def test_numbers_that_no_run_has(refused, tmp_path, option, value):
    error = refused("simulate", "o365-hour", option, value, "--out", tmp_path / "out")
    assert option in error
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_line(refused, monkeypatch):
    from gymnasium.error import DependencyNotInstalled

    def missing(name):
        raise DependencyNotInstalled("pandas is not installed; run: pip install 'sageserve-env[data]'")

    monkeypatch.setattr("sageserve_env.world.load_world", missing)
    assert refused("world", "show", "published") == "error: pandas is not installed; run: pip install 'sageserve-env[data]'"


@pytest.mark.parametrize("error", [EOFError("the file ends"), KeyError("a bug")])
def test_a_bug_is_not_taken_for_an_interruption(run, monkeypatch, error):
    def broken(name):
        raise error

    monkeypatch.setattr("sageserve_env.world.load_world", broken)
    with pytest.raises(type(error)):
        run("world", "show", "published")
