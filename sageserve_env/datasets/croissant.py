"""Croissant metadata, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html: what data there are, in JSON-LD."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

CONFORMS = "http://mlcommons.org/croissant/1.0"

ENCODINGS = {
    ".csv": "text/csv",
    ".csv.gz": "text/csv",  # whoever reads it tells by the name that it is packed
    ".hdf5": "application/x-hdf5",
    ".json": "application/json",
    ".npz": "application/zip",
}
"""By the end of the name."""

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification gives it."""


def metadata(
    name: str, description: str, *, licences: Iterable[str], version: str, files: Iterable[Mapping[str, Any]], **more: Any
) -> dict[str, Any]:
    """The metadata of a data set.

    Args:
        name: Of the data set.
        description: In a sentence or more.
        licences: Addresses of licence texts.
        version: Of the data set, three numbers.
        files: Of :func:`file_object`.
        more: Further properties of schema.org, such as ``citeAs`` or ``creator``.
    """
    objects = list(files)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": name,
        "description": description,
        "license": list(licences),
        "version": version,
        **more,
        "distribution": [{key: value for key, value in each.items() if key != "columns"} for each in objects],
        "recordSet": [record_set(each["@id"], each["columns"]) for each in objects if each["columns"]],
    }


def file_object(path: Path, base: Path, licence: str | None = None) -> dict[str, Any]:
    """What there is to know of a file, with the columns of a plain table.

    Args:
        path: The file.
        base: The folder that its address is relative to.
        licence: Address of the licence text, where a data set has several.
    """
    relative = path.relative_to(base).as_posix()
    text = path.read_bytes()
    facts = {
        "@type": "cr:FileObject",
        "@id": relative,
        "name": relative,
        "contentUrl": relative,
        "contentSize": f"{len(text)} B",
        "encodingFormat": ENCODINGS["".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix],
        "sha256": sha256(text).hexdigest(),
    }
    return {**facts, **({} if licence is None else {"license": licence}), "columns": columns_of(path)}


def columns_of(path: Path) -> dict[str, str]:
    """Columns of a table and the type of each, told from all of its rows; none where a file is no table of commas."""
    if not path.name.endswith((".csv", ".csv.gz")):
        return {}
    text = path.read_bytes()
    lines = (gzip.decompress(text) if path.suffix == ".gz" else text).decode().splitlines()
    head, *rows = (line.split(",") for line in lines if not line.startswith("#"))
    return {name: type_of([row[place] for row in rows if len(row) == len(head)]) for place, name in enumerate(head)}


def type_of(values: Iterable[str]) -> str:
    """The narrowest of whole numbers, numbers and text that takes all of some cells; empty ones count for nothing.

    Example:
        >>> type_of(["1", "2.5", ""])
        'sc:Float'
    """
    kinds = [("sc:Integer", int), ("sc:Float", float)]
    given = [value for value in values if value]
    for name, kind in kinds:
        try:
            for value in given:
                kind(value)
        except ValueError:
            continue
        return name if given else "sc:Text"
    return "sc:Text"


def record_set(file: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """The rows of a file's table."""
    table = file.removesuffix(".gz").removesuffix(".csv")
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{table}/{name}",
            "name": f"{table}/{name}",
            "dataType": kind,
            "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
        }
        for name, kind in columns.items()
    ]
    return {"@type": "cr:RecordSet", "@id": table, "name": table, "field": fields}
