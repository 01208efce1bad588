"""Worlds as YAML files.

The keys of a file are the fields of ``World`` and of the classes inside it, spelled as in ``world.schema``. Beyond them:

- ``extends: published`` starts from a preset; what the file leaves out comes from there. A list (``regions``, ``vm_types``,
  ``models``, ``tiers``, ``pools``) names exactly what the world has, in order: an item of the preset may be given by its name
  alone, or with only the fields that change. A mapping such as ``vm_capacity`` replaces the preset's. ``latency_s`` and
  ``egress_usd_per_gb`` may be left out when ``regions`` is a selection of the preset's.
- The paper's VM types, ``a100-80gb-x8`` and ``h100-80gb-x8``, may be given by name without a preset.
- An entry of a model's ``profiles`` has the fields of ``Profile`` or those of ``IterationModel``.
- A model may say ``profile_from: llama-2-70b`` instead of ``profiles``: it takes that model's measured times on each VM type of
  the file that has some, times ``scale`` (1 when left out). Entries of ``profiles`` go before these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from sageserve_env.errors import InputError, quoted, shown
from sageserve_env.world.checks import LONGEST_NAME
from sageserve_env.world.files.yaml_file import LARGEST_FILE, read_yaml
from sageserve_env.world.measured.measurements import MEASURED_MODELS
from sageserve_env.world.measured.profiles import has_profile, measured_profile, scale_profile
from sageserve_env.world.presets.published import PRESETS, VM_TYPES
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import Model, Region, VMType, World


def load_world(name_or_path: str | Path) -> World:
    """A preset by its name, or a world from a YAML file.

    Args:
        name_or_path: A key of ``PRESETS``, or the path of a ``.yaml`` or ``.yml`` file.

    Returns:
        The world, validated.

    Raises:
        InputError: No such preset or file, or the file breaks a rule; the line names file and field.

    Example:
        >>> [region.name for region in load_world("published").regions]
        ['westus', 'centralus', 'eastus']
    """
    if str(name_or_path) in PRESETS:
        return validate(PRESETS[str(name_or_path)]())
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"world = '{name_or_path}' is no preset{_nearest(str(name_or_path), PRESETS)}, nor a .yaml file")
    try:
        if path.stat().st_size > LARGEST_FILE or not path.is_file():
            raise OSError(f"it is no file, or has more than {LARGEST_FILE:,} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"world = '{path}' does not exist; give a preset ({', '.join(PRESETS)}) or a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path that is none
        raise InputError(f"world = '{path}' cannot be read ({error}); give a UTF-8 YAML file") from None
    return _parse(text, str(path), path.parent)


def parse_world(text: str, source: str = "world") -> World:
    """A world from the text of a YAML file.

    Args:
        text: The YAML.
        source: What error messages call it.

    Raises:
        InputError: The text is no YAML, or breaks a rule.
    """
    return _parse(text, source, Path())


def _parse(text: str, source: str, folder: Path) -> World:
    try:
        return validate(_beside(folder, _world(read_yaml(text))))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def dump_world(world: World) -> str:
    """The world as YAML, complete: ``parse_world`` of it gives an equal world, without any preset."""
    return yaml.safe_dump(_plain(asdict(world)), sort_keys=False, default_flow_style=None, width=120)


def _world(data: dict[str, Any]) -> World:
    data = dict(data)
    base = _preset(data.pop("extends")) if "extends" in data else None
    _check_keys(data, ["extends", *_field_names(World)], "")
    vm_types = _vm_types(data, base)
    if "models" in data:
        data["models"] = _with_measured_profiles(data["models"], [vm_type.name for vm_type in vm_types])
    if base and isinstance(data.get("regions"), list):
        for matrix in ("latency_s", "egress_usd_per_gb"):
            if matrix not in data:
                data[matrix] = _selected(matrix, data["regions"], base)
    values = _field_values(World, {**data, "vm_types": []}, "", base)
    return World(**{**values, "vm_types": vm_types})


def _preset(name: Any) -> World:
    if not isinstance(name, str) or name not in PRESETS:
        raise InputError(f"extends = {shown(name)} is no preset{_nearest(shown(name), PRESETS)}; known: {quoted(PRESETS)}")
    return PRESETS[name]()


def _vm_types(data: Mapping[str, Any], base: World | None) -> tuple[VMType, ...]:
    known = VM_TYPES | ({vm_type.name: vm_type for vm_type in base.vm_types} if base else {})
    if "vm_types" in data:
        converted: tuple[VMType, ...] = _convert(tuple[VMType, ...], data["vm_types"], "vm_types", tuple(known.values()))
        return converted
    if base is None:
        raise InputError("vm_types is missing; give it, or a preset in 'extends'")
    return base.vm_types


def _with_measured_profiles(models: Any, vm_types: list[str]) -> Any:
    """The models with ``profile_from`` and ``scale`` written out as tables."""
    if not isinstance(models, list):
        return models  # _convert says what is wrong
    expanded = []
    for index, model in enumerate(models):
        where = f"models[{index}]"
        if isinstance(model, dict):
            _check_keys(model, [*_field_names(Model), "profile_from", "scale"], where)
            if "profile_from" in model:
                model = _expand(model, vm_types, where)
            elif "scale" in model:
                raise InputError(f"{where}.scale = {shown(model['scale'])} has nothing to scale; give profile_from too")
        expanded.append(model)
    return expanded


def _expand(model: dict[str, Any], vm_types: list[str], where: str) -> dict[str, Any]:
    model = dict(model)
    source = _text(model.pop("profile_from"), f"{where}.profile_from")
    scale = _number(model.pop("scale", 1.0), f"{where}.scale")
    usable = [vm_type for vm_type in vm_types if has_profile(source, vm_type)]
    if source not in MEASURED_MODELS:
        raise InputError(f"{where}.profile_from = '{source}' was not measured; known: {quoted(MEASURED_MODELS)}")
    if not usable:
        raise InputError(f"{where}.profile_from = '{source}' was not measured on {quoted(vm_types)}; give profiles inline")
    try:
        scaled = {vm_type: scale_profile(measured_profile(source, vm_type), scale, scale) for vm_type in usable}
    except InputError as error:
        raise InputError(f"{where}.{error}") from None
    tables = {vm_type: _plain(asdict(profile)) for vm_type, profile in scaled.items()}
    inline = _mapping(model.get("profiles", {}), f"{where}.profiles")
    return {**model, "profiles": {**tables, **inline}}


def _selected(matrix: str, regions: list[Any], base: World) -> list[list[float]] | None:
    """A matrix of the preset for a selection of its regions."""
    values = getattr(base, matrix)
    if values is None:
        return None
    position = {region.name: index for index, region in enumerate(base.regions)}
    names = [_text(region.get("name") if isinstance(region, dict) else region, "regions") for region in regions]
    new = [name for name in names if name not in position]
    if new:
        raise InputError(f"{matrix} is missing, and preset '{base.name}' has no region {quoted(new)}; give the whole matrix")
    return [[values[position[origin]][position[destination]] for destination in names] for origin in names]


def _beside(folder: Path, world: World) -> World:
    """The world with its files looked for in a folder, where their paths are relative."""

    def placed(region: Region) -> Region:
        carbon = region.carbon
        if carbon is None or carbon.file is None:
            return region
        return replace(region, carbon=replace(carbon, file=str(folder / carbon.file)))

    return replace(world, regions=tuple(placed(region) for region in world.regions))


def _convert(hint: Any, value: Any, where: str, base: Any = None) -> Any:
    """The YAML value as the type of a field of the schema.

    Args:
        hint: The field's type.
        value: From the file.
        where: Path of the field in the file.
        base: The preset's value of the field, or None.

    Raises:
        InputError: The value cannot become that type.
    """
    arguments = get_args(hint)
    if is_dataclass(hint):
        return _build(hint, value, where, base)
    if get_origin(hint) is tuple:
        return _tuple(arguments, value, where, base)
    if get_origin(hint) is dict:
        mapping = _mapping(value, where)
        return {_text(key, where): _convert(arguments[1], item, f"{where}['{key}']") for key, item in mapping.items()}
    if NoneType in arguments:
        return None if value is None else _convert(arguments[0], value, where)
    if arguments:
        return _build(_alternative(arguments, value), value, where, base)
    scalars: dict[type, Any] = {str: _text, float: _number, int: _integer, bool: _boolean}
    return scalars[hint](value, where)


def _alternative(classes: tuple[Any, ...], value: Any) -> Any:
    """Of some dataclasses the one whose fields a mapping names; the first, which then says what is wrong, if it names none."""
    keys = list(value) if isinstance(value, dict) else []
    return max(classes, key=lambda cls: sum(key in _field_names(cls) for key in keys))


def _build(cls: Any, value: Any, where: str, base: Any) -> Any:
    if isinstance(value, str) and base is not None and "name" in _field_names(cls):
        return base
    data = _mapping(value, where)
    _check_keys(data, _field_names(cls), where)
    return cls(**_field_values(cls, data, where, base))


def _field_values(cls: Any, data: Mapping[str, Any], where: str, base: Any) -> dict[str, Any]:
    """Keyword arguments of a dataclass: from the file, else from the preset, else left to the field's default."""
    hints, values = get_type_hints(cls), {}
    for field in fields(cls):
        path = f"{where}.{field.name}" if where else field.name
        inherited = None if base is None else getattr(base, field.name)
        if field.name in data:
            values[field.name] = _convert(hints[field.name], data[field.name], path, inherited)
        elif base is not None:
            values[field.name] = inherited
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{path} is missing; give it{' or a preset in extends' if '.' not in path else ''}")
    return values


def _tuple(arguments: tuple[Any, ...], value: Any, where: str, base: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InputError(f"{where} = {shown(value)} is not a list; give one")
    if arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise InputError(f"{where} = {shown(value)} has {len(value)} items; give {len(arguments)}")
        return tuple(
            _convert(hint, item, f"{where}[{index}]") for index, (hint, item) in enumerate(zip(arguments, value, strict=True))
        )
    named = {item.name: item for item in base or () if hasattr(item, "name")}
    items = []
    for index, item in enumerate(value):
        name = item.get("name") if isinstance(item, dict) else item
        known = named.get(name) if isinstance(name, str) else None
        if isinstance(item, str) and is_dataclass(arguments[0]) and known is None:
            raise InputError(f"{where}[{index}] = '{item}' is not known by name{_nearest(item, named)}; give its fields")
        items.append(_convert(arguments[0], item, f"{where}[{index}]", known))
    return tuple(items)


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} = {shown(value)} is not a mapping; give 'key: value' pairs")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where} = {shown(value)} is not text; put it in quotes")
    return value


def _number(value: Any, where: str) -> float:
    # YAML 1.1 reads 1e9 (no point, no sign) as text: accept what Python reads as a number.
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise InputError(f"{where} = {shown(value)} is not a number; give one")


def _integer(value: Any, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value, where)
    if not number.is_integer():
        raise InputError(f"{where} = {shown(value)} is not a whole number; give one")
    return int(number)


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where} = {shown(value)} is not true or false; give one of them")
    return value


def _check_keys(data: Mapping[Any, Any], allowed: list[str], where: str) -> None:
    for key in data:
        if key not in allowed:
            path = f"{where}.{key}" if where else str(key)
            raise InputError(f"{path} is not a known field{_nearest(str(key), allowed)}; allowed: {', '.join(allowed)}")


def _nearest(word: str, known: Any) -> str:
    match = get_close_matches(word[:LONGEST_NAME], list(known), n=1)
    return f" (did you mean '{match[0]}'?)" if match else ""


def _field_names(cls: Any) -> list[str]:
    return [field.name for field in fields(cls)]


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML has no tuples."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
