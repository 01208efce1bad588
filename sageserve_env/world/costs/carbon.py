"""Carbon intensity by the hour: the series that come with the package, a user's own, and a world's from its Monday on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.files.csv_rows import read_rows
from sageserve_env.identity import digest, parts
from sageserve_env.world.schema import Carbon, Region, World

Floats = NDArray[np.float64]

SHIPPED = Path(__file__).parents[1] / "data" / "electricity_maps"
SHIPPED_FILES = (SHIPPED / "lifecycle_2023.csv.gz", SHIPPED / "lifecycle_2024.csv.gz")
"""Two years by the hour, one after the other; source and licence (ODbL) in the README beside them."""

UTC = "utc"
HOUR = timedelta(hours=1)
MOST_G_PER_KWH = 5000.0
"""Far above any power station."""


@dataclass(frozen=True)
class Hours:
    """Values of consecutive hours.

    Attributes:
        begin: The first hour's beginning, UTC.
        values: Shape (n,), read-only.
    """

    begin: datetime
    values: Floats


def has_carbon(world: World) -> bool:
    """Whether carbon is counted: in every region of a valid world, or in none."""
    return any(region.carbon is not None for region in world.regions)


def carbon_intensity(world: World) -> Floats:
    """Grams of CO₂ equivalent for each kWh by region and hour, shape (R, H): from the world's Monday on, round its series.

    Zeros of shape (R, 1) where carbon is not counted.

    Raises:
        InputError: A series cannot be read, has not the zone, has gaps or no value for the Monday, or is longer than another.
    """
    series = [(region, _series_of(region, region.carbon)) for region in world.regions if region.carbon is not None]
    if not series:
        return np.zeros((len(world.regions), 1))
    monday = datetime.combine(date.fromisoformat(world.week_of), datetime.min.time())
    first, longest = series[0][0], len(series[0][1].values)
    for region, hours in series:
        where, last = f"regions['{region.name}'].carbon", hours.begin + len(hours.values) * HOUR
        if not hours.begin <= monday < last:
            raise InputError(
                f"week_of = {world.week_of} is not in {where}, {hours.begin:%Y-%m-%d} to {last:%Y-%m-%d}; give one of its Mondays"
            )
        if len(hours.values) != longest:
            problem = f"has {len(hours.values):,} hours and that of '{first.name}' {longest:,}"
            raise InputError(f"{where} {problem}; give series of one length, which begin anew together")
    return np.stack([np.roll(hours.values, -((monday - hours.begin) // HOUR)) for _, hours in series])


def _series_of(region: Region, carbon: Carbon) -> Hours:
    try:
        return read_carbon(carbon)
    except InputError as error:
        raise InputError(f"regions['{region.name}'].carbon: {error}") from None


def read_carbon(carbon: Carbon) -> Hours:
    """A zone's series, in grams for each kWh.

    Raises:
        InputError: A file cannot be read, a zone is none of its columns, an hour is missing, or a value is none.
    """
    files = SHIPPED_FILES if carbon.file is None else (Path(carbon.file),)
    return _joined(tuple((file, _stamp(file)) for file in files), carbon.zone)


def world_identity(world: World) -> dict[str, str]:
    """The digest of each field of a world, by name, and of the series of files that are the user's own."""
    own = [region.carbon for region in world.regions if region.carbon is not None and region.carbon.file is not None]
    return {**parts("world", world), "world.carbon": digest([read_carbon(carbon).values for carbon in own])}


def _stamp(file: Path) -> tuple[int, int]:
    """Tells a file's versions apart; a missing file is for the reader to name."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _joined(files: tuple[tuple[Path, tuple[int, int]], ...], zone: str) -> Hours:
    """One series of files whose hours follow each other."""
    pieces = [_hours(file, _columns(file, stamp), zone) for file, stamp in files]
    values = np.concatenate([piece.values for piece in pieces])
    values.flags.writeable = False
    return Hours(pieces[0].begin, values)


@lru_cache(maxsize=2)
def _columns(file: Path, stamp: tuple[int, int]) -> dict[str, NDArray[np.str_]]:
    """The text of a file by column."""
    rows = read_rows(file, (UTC,))
    return {name: np.array([row.fields[name].strip() for row in rows]) for name in rows[0].fields}


def _hours(file: Path, columns: dict[str, NDArray[np.str_]], zone: str) -> Hours:
    if zone == UTC or zone not in columns:
        known = [name for name in columns if name != UTC]
        where = file.name if file in SHIPPED_FILES else file
        raise InputError(f"{where}: has no zone {shown(zone)}; give one of {quoted(known)}")
    begin = _begin(file, columns[UTC].tolist())
    return Hours(begin, np.array([_value(file, row, zone, text) for row, text in enumerate(columns[zone].tolist(), 1)]))


def _begin(file: Path, texts: list[str]) -> datetime:
    """The first hour of a column in which each follows the one before."""
    expected: datetime | None = None
    begin = None
    for row, text in enumerate(texts, 1):
        try:
            hour = datetime.fromisoformat(text.removesuffix("Z"))
        except ValueError:
            raise InputError(
                f"{file} row {row}: {UTC} = {text!r} is no time; give the beginning of an hour, 2024-01-01T00:00"
            ) from None
        if hour.tzinfo is not None or hour.minute or hour.second or hour.microsecond:
            raise InputError(f"{file} row {row}: {UTC} = {text!r} is not the beginning of an hour in UTC; give 2024-01-01T00:00")
        if expected is not None and hour != expected:
            raise InputError(
                f"{file} row {row}: {UTC} = {text!r} follows a gap; give every hour once, here {expected:%Y-%m-%dT%H:%M}"
            )
        begin, expected = begin or hour, hour + HOUR
    assert begin is not None  # a file without rows is refused
    return begin


def _value(file: Path, row: int, zone: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= MOST_G_PER_KWH:
        raise InputError(f"{file} row {row}: {zone} = {text!r} is out of range; give g/kWh, 0 to {MOST_G_PER_KWH:g}, in every hour")
    return value
