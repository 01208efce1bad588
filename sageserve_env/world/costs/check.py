"""The rules of what serving costs, for ``validate``: each broken rule is one ``InputError`` that names the field."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import require, require_known, require_not_negative, require_within
from sageserve_env.world.costs.carbon import carbon_intensity, has_carbon
from sageserve_env.world.costs.prices import WEEK_HOURS
from sageserve_env.world.schema import Power, Region, World

DAY_HOURS = 24
MOST_FACTOR = 1000.0
MOST_USD_PER_GB = 1e6
MOST_BYTES = 1e9
MOST_WATTS = 1e9
MOST_PUE = 10.0


def check_costs(world: World) -> None:
    """Check prices, egress, power and carbon.

    Raises:
        InputError: The first broken rule.
    """
    for region in world.regions:
        _check_prices(region, [vm_type.name for vm_type in world.vm_types])
    if world.egress_usd_per_gb is not None:
        names = [region.name for region in world.regions]
        check_matrix("egress_usd_per_gb", world.egress_usd_per_gb, names, MOST_USD_PER_GB, "dollars a GB")
    require_within("egress_bytes_per_token", world.egress_bytes_per_token, 0, MOST_BYTES, "bytes")
    require_within("pue", world.pue, 1, MOST_PUE, "a factor")
    _check_monday(world.week_of)
    _check_power(world)
    _check_carbon(world)


def check_matrix(field: str, rows: Sequence[Sequence[float]], regions: list[str], most: float, unit: str) -> None:
    """A number from each region to each, from 0 to ``most``."""
    remedy = f"do not fit; give {len(regions)}x{len(regions)} {unit}, origin by destination in the order of regions"
    require(len(rows) == len(regions), field, f"{len(rows)} rows", remedy)
    for origin, row in zip(regions, rows, strict=True):
        require(len(row) == len(regions), f"{field} from '{origin}'", f"{len(row)} numbers", remedy)
        for destination, value in zip(regions, row, strict=True):
            require_within(f"{field} from '{origin}' to '{destination}'", value, 0, most, unit)


def _check_prices(region: Region, vm_types: list[str]) -> None:
    where = f"regions['{region.name}']"
    for name, price in (region.price_usd_per_h or {}).items():
        require_known(f"{where}.price_usd_per_h", name, "VM type", vm_types)
        require_not_negative(f"{where}.price_usd_per_h['{name}']", price, "give US dollars per VM-hour, 0 or more")
    if region.price_by_hour is not None:
        count = len(region.price_by_hour)
        remedy = f"are not a day or a week; give {DAY_HOURS} or {WEEK_HOURS}"
        require(count in (DAY_HOURS, WEEK_HOURS), f"{where}.price_by_hour", f"{count} factors", remedy)
        for hour, factor in enumerate(region.price_by_hour):
            require_within(f"{where}.price_by_hour[{hour}]", factor, 0, MOST_FACTOR, "a factor")


def _check_monday(text: str) -> None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputError(f"week_of = {shown(text)} is no date; give a Monday, such as 2024-01-01") from None
    require(day.weekday() == 0, "week_of", text, f"is a {day:%A}; give a Monday, such as 2024-01-01")


def _check_power(world: World) -> None:
    any_power = any(model.power for model in world.models)
    for model in world.models:
        for vm_type, power in model.power.items():
            require_known(f"models['{model.name}'].power", vm_type, "VM type with a profile of this model", list(model.profiles))
            _check_numbers(f"models['{model.name}'].power['{vm_type}']", power)
        for vm_type in model.profiles if any_power else ():
            remedy = "is missing; energy counts where every model has it for each VM type of its profiles, or none has any"
            require(vm_type in model.power, f"models['{model.name}'].power['{vm_type}']", "None", remedy)


def _check_numbers(where: str, power: Power) -> None:
    for name in ("idle_w", "base_w", "span_w"):
        require_within(f"{where}.{name}", getattr(power, name), 0, MOST_WATTS, "watts")
    require_within(f"{where}.half_batch", power.half_batch, 0.001, 1e9, "requests")
    is_line = power.provenance.strip() != "" and power.provenance.isprintable()
    remedy = "is no provenance; say in a line where the numbers come from"
    require(is_line, f"{where}.provenance", shown(power.provenance), remedy)


def _check_carbon(world: World) -> None:
    if not has_carbon(world):
        return
    for region in world.regions:
        remedy = "is missing, and other regions have it; give each region a series, or none"
        require(region.carbon is not None, f"regions['{region.name}'].carbon", "None", remedy)
    remedy = "has no power, so its carbon cannot be counted; give models[...].power, or leave carbon out"
    require(any(model.power for model in world.models), "world with carbon", f"'{world.name}'", remedy)
    carbon_intensity(world)
