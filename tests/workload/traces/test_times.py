"""Arrival times: units, Unix stamps, dates and zones; what may mean two things, or nothing, is refused."""

import json
import warnings

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sageserve_env.errors import InputError
from sageserve_env.workload import Trace
from tests.workload.helpers import play, write_rows

PLAIN = "t_s,prompt_tokens,output_tokens"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens"


def times(path, world, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return play(Trace(path, **arguments).stream(world, 0))["arrival_s"].tolist()


def rows(folder, values, header=PLAIN):
    return write_rows(folder / "t.csv", [f'"{value}",1,1' for value in values], header)


def message(path, world, **arguments):
    with pytest.raises(InputError) as error:
        times(path, world, **arguments)
    assert len(str(error.value)) < 300
    return str(error.value)


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_units(tmp_path, world, unit, scale):
    path = rows(tmp_path, [0, 2 * scale, 3 * scale])
    assert times(path, world, time_unit=unit) == pytest.approx([0, 2, 3])
    stamps = [1_700_158_546 * scale, 1_700_158_548 * scale]
    path = rows(tmp_path, stamps)
    assert times(path, world, time_unit=unit) == pytest.approx([0, 2], abs=1e-6)
    assert times(path, world) == pytest.approx([0, 2], abs=1e-6)
    facts = Trace(path).facts()
    assert facts["times"] == f"t_s, Unix stamps in {unit}"
    assert facts["counted from"] == "2023-11-16T18:15:46.000000 UTC"


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_stamps_in_columns_of_numbers(tmp_path, world, kind):
    for name, header in (("TIMESTAMP", AZURE), ("t_s", PLAIN)):
        table = {column: [1, 1] for column in header.split(",")} | {name: [1_700_158_546_500, 1_700_158_547_000]}
        path = tmp_path / f"t.{kind}"
        if kind == "parquet":
            parquet.write_table(pa.table(table), path)
        else:
            path.write_text(json.dumps([dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]))
        assert times(path, world) == pytest.approx([0, 0.5], abs=1e-6)


def test_magnitudes_that_may_mean_two_things(tmp_path, world):
    path = tmp_path / "t.jsonl"
    path.write_text('{"timestamp": 1700158546, "input_length": 1, "output_length": 1}')
    assert "may be ms since the start or a Unix stamp in s; give --time-unit (time_unit) ms or s" in message(path, world)
    assert times(path, world, time_unit="s") == [0]
    assert times(path, world, time_unit="ms") == [1_700_158.546]
    path.write_text('{"arrival_time_ns": 1700158546, "input_toks": 1, "output_toks": 1}')
    assert times(path, world) == pytest.approx([1.700158546])


@pytest.mark.parametrize("value", ["5e8", "1e30", "2e10"])
def test_magnitudes_that_mean_nothing(tmp_path, world, value):
    text = message(rows(tmp_path, ["", value]), world, invalid_rows="skip")
    assert f"row 2: t_s = '{value}' is neither" in text


def test_a_jump_over_years_is_a_wrong_unit(tmp_path, world):
    assert "row 2: t_s is 1.7e+09 s after the start" in message(rows(tmp_path, [0, 1.7e9]), world)


def test_dates_with_zones(tmp_path, world):
    values = ["2023-11-16 10:00:00+02:00", "2023-11-16T08:00:01Z", "2023-11-16 04:00:02.5-04", "2023-11-16 08:00:03,25 UTC"]
    assert times(rows(tmp_path, [*values, "2023-11-16 13:30:04.123456789123+0530"], AZURE), world) == pytest.approx(
        [0, 1, 2.5, 3.25, 4.123456789], abs=1e-7
    )
    assert times(rows(tmp_path, ["2023-11-16", " 2023-11-16 00:01 "]), world) == [0, 60]


NO_DATES = ["NaT", "1700158546", "2023", "20231116", "2023-13-01", "2023-02-30", "2023-11-16 25:00:00", "2023-11-16 18:15:60"]
NO_DATES += ["2023-11-161", "2023-11-16 18:151", "2023-11-16 18:15:461", "2023-11-16 18:15:46+15:00", "2023-11-16 18:15:46+05:60"]
BEYOND = ["1600-01-01 00:00:00", "2300-01-01", "9999-12-31 00:00", "0000-01-01"]


@pytest.mark.parametrize("value", [*NO_DATES, *BEYOND, "x", ""])
def test_dates_that_are_none(tmp_path, world, value):
    text = message(rows(tmp_path, ["2023-01-01 00:00:00", value, "2023-01-01 00:00:01"], AZURE), world)
    assert "row 2: TIMESTAMP" in text
    assert value in text
    kept = rows(tmp_path, ["2023-01-01 00:00:00", value, "2023-01-01 00:00:01"], AZURE)
    assert times(kept, world, invalid_rows="skip") == [0, 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "+05:30"])
def test_dates_of_parquet(tmp_path, world, unit, zone):
    stamps = np.array(["2023-11-16T18:15:46", "2023-11-16T18:15:48"], f"datetime64[{unit}]")
    table = {"TIMESTAMP": pa.array(stamps, pa.timestamp(unit, zone)), "ContextTokens": [1, 1], "GeneratedTokens": [1, 1]}
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    assert times(tmp_path / "t.parquet", world) == [0, 2]


def test_dates_of_parquet_that_are_none(tmp_path, world):
    for stamps, words in [
        (np.array(["2023-11-16", "NaT"], "datetime64[ms]"), "row 2: TIMESTAMP = nothing"),
        (np.array(["2023-11-16", "9999-01-01"], "datetime64[ms]"), "row 2: TIMESTAMP = 9999-01-01T00:00:00.000 is beyond"),
    ]:
        table = {"TIMESTAMP": pa.array(stamps), "ContextTokens": [1, 1], "GeneratedTokens": [1, 1]}
        parquet.write_table(pa.table(table), tmp_path / "t.parquet")
        assert words in message(tmp_path / "t.parquet", world)


def test_units_that_are_none(tmp_path, world):
    assert "time_unit = 'h' is not known; give one of s, ms, us, ns" in message(rows(tmp_path, [0]), world, time_unit="h")
