"""Series of carbon intensity: what comes with the package, a user's files, and what is wrong with some."""

import gzip
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import Carbon, load_world, parse_world
from sageserve_env.world.costs.carbon import SHIPPED_FILES, carbon_intensity, read_carbon

ZONES = [
    "AU-NSW",
    "AU-VIC",
    "BR-SP",
    "CA-ON",
    "CL-SIC",
    "DE-LU",
    "GB",
    "KR",
    "SG",
    "US-CAL-CISO",
    "US-MIDA-PJM",
    "US-NY-NYIS",
    "US-TEX-ERCO",
    "ZA",
]
LINES = ["utc,here,there", *(f"2024-01-0{1 + hour // 24}T{hour % 24:02d}:00,{hour},{100 + hour}" for hour in range(48))]
POWER = "{idle_w: 1, base_w: 2, span_w: 3, half_batch: 4, provenance: a toy}"
WORLD = """
name: small
regions: [{name: a, vm_capacity: {x: 4}, carbon: {zone: here, file: grams.csv}},
  {name: b, vm_capacity: {x: 4}, carbon: {zone: there, file: grams.csv}}]
latency_s: [[0, 0.1], [0.1, 0]]
vm_types: [{name: x, gpus: 1, gpu_memory_bytes: 1000, price_usd_per_h: 4}]
models:
  - {name: m, weights_bytes: 10, kv_bytes_per_token: 1, power: {x: %s},
     profiles: {x: {base_s: 1, sequence_s: 0, context_token_s: 0, prefill_token_s: 0, prefill_context_s: 0, provenance: a toy}}}
tiers: [{name: IW-F, slo_s: 1}, {name: IW-N, slo_s: 60}, {name: NIW, slo_s: 86400}]
pools: [{name: unified, tiers: [IW-F, IW-N, NIW], instances: {m: 1}}]
"""


@pytest.mark.parametrize("zone", ZONES)
def test_two_years_of_each_zone_come_with_the_package(zone: str) -> None:
    hours = read_carbon(Carbon(zone))
    assert hours.begin == datetime(2023, 1, 1)
    assert hours.values.shape == (8760 + 8784,)
    assert hours.values.min() > 0
    assert not hours.values.flags.writeable


def test_estimated_zones_are_left_out() -> None:
    for zone in ("IN-WE", "JP-TK", "utc"):
        with pytest.raises(InputError, match=f"has no zone '{zone}'; give one of 'AU-NSW'"):
            read_carbon(Carbon(zone))


def test_the_database_names_its_source_and_licence() -> None:
    readme = (SHIPPED_FILES[0].parent / "README.md").read_text(encoding="utf-8")
    assert "Electricity Maps" in readme
    assert "Open Database License" in " ".join(readme.split())
    assert (SHIPPED_FILES[0].parent / "LICENSE-ODbL-1.0.txt").stat().st_size > 10_000


def test_a_year_of_the_globe_takes_less_than_2_mb() -> None:
    data = SHIPPED_FILES[0].parents[1]
    assert sum(path.stat().st_size for name in ("electricity_maps", "globe") for path in (data / name).iterdir()) < 2e6


def test_the_globe_reads_from_its_monday_on() -> None:
    world = load_world("globe")
    grams = carbon_intensity(world)
    assert grams.shape == (6, 8760 + 8784)
    text = gzip.decompress(SHIPPED_FILES[1].read_bytes()).decode().splitlines()
    row = dict(zip(text[0].split(","), text[1].split(","), strict=True))
    assert row["utc"] == "2024-01-01T00:00"
    assert grams[:, 0].tolist() == [float(row[region.carbon.zone]) for region in world.regions]
    later = carbon_intensity(replace(world, week_of="2024-01-08"))
    np.testing.assert_array_equal(later, np.roll(grams, -168, axis=1))


def small(folder: Path, lines: list[str] = LINES, world: str = WORLD % POWER) -> Path:
    (folder / "grams.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "world.yaml").write_text(world, encoding="utf-8")
    return folder / "world.yaml"


def test_a_file_lies_beside_its_world(tmp_path: Path) -> None:
    world = load_world(small(tmp_path))
    np.testing.assert_array_equal(carbon_intensity(world), [np.arange(48.0), np.arange(100.0, 148.0)])
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "grams.csv").read_bytes()))
    np.testing.assert_array_equal(read_carbon(Carbon("here", str(packed))).values, np.arange(48.0))


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    world = load_world(small(tmp_path))
    small(tmp_path, [line.replace("T00:00,0,", "T00:00,7.5,") for line in LINES])
    assert carbon_intensity(world)[0, 0] == 7.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "2024-01-01T05:00,5,105",
            "",
            r"row 6: utc = '2024-01-01T06:00' follows a gap; give every hour once, here 2024-01-01T05:00",
        ),
        ("T05:00,5,", "T04:00,5,", r"row 6: utc = '2024-01-01T04:00' follows a gap"),
        ("2024-01-01T05:00", "2024-01-01T05:30", r"row 6: utc = '2024-01-01T05:30' is not the beginning of an hour"),
        ("2024-01-01T05:00", "5 o'clock", r"row 6: utc = \"5 o'clock\" is no time"),
        (
            "2024-01-01T05:00",
            "2024-01-01T05:00+02:00",
            r"row 6: utc = '2024-01-01T05:00\+02:00' is not the beginning of an hour in UTC",
        ),
        ("T05:00,5,", "T05:00,,", r"row 6: here = '' is out of range; give g/kWh, 0 to 5000, in every hour"),
        ("T05:00,5,", "T05:00,nan,", r"row 6: here = 'nan' is out of range"),
        ("T05:00,5,", "T05:00,inf,", r"row 6: here = 'inf' is out of range"),
        ("T05:00,5,", "T05:00,-1,", r"row 6: here = '-1' is out of range"),
        ("T05:00,5,", "T05:00,much,", r"row 6: here = 'much' is out of range"),
        ("T05:00,5,", "T05:00,", r"row 6: has not the 3 fields"),
        ("utc,here,there", "time,here,there", r"column 'utc' is missing"),
        ("utc,here,there", "utc,here,elsewhere", r"regions\['b'\].carbon: .*has no zone 'there'; give one of 'here', 'elsewhere'"),
    ],
)
def test_files_with_gaps_and_other_zones_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    lines = "\n".join(LINES).replace(old, new, 1).replace("\n\n", "\n").split("\n")
    with pytest.raises(InputError, match=message) as caught:
        load_world(small(tmp_path, lines))
    assert "grams.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("file: grams.csv", "file: absent.csv", "absent.csv: cannot be read"),
        ("zone: there, file: grams.csv", "zone: DE-LU", r"regions\['b'\].carbon has 17,544 hours and that of 'a' 48"),
        (", carbon: {zone: there, file: grams.csv}", "", r"regions\['b'\].carbon = None is missing, and other regions have it"),
        (
            "name: small",
            "name: small\nweek_of: '2024-01-08'",
            r"week_of = 2024-01-08 is not in regions\['a'\].carbon, 2024-01-01 to 2024-01-03",
        ),
        (f", power: {{x: {POWER}}}", "", "has no power, so its carbon cannot be counted"),
        ("zone: here", "zoen: here", "carbon.zoen is not a known field"),
    ],
)
def test_series_that_do_not_fit_the_world_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = WORLD % POWER
    assert old in text
    with pytest.raises(InputError, match=message):
        load_world(small(tmp_path, world=text.replace(old, new, 1)))


def test_a_world_without_series_has_no_carbon() -> None:
    assert carbon_intensity(load_world("modern")).tolist() == [[0.0]] * 3
    with pytest.raises(InputError, match="has no power"):
        parse_world("extends: modern\nregions: [{name: westus, carbon: {zone: US-CAL-CISO}}]")
