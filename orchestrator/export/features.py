"""What the columns of a file are, in the words of `datasets`: read off the rows, and told as `dataset_info` has it.

A feature is the name of a plain type, a list of one feature, or an object of named ones. Null joins with anything;
integers join with floats as floats; whatever else differs has no type that all readers share, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from orchestrator.export.columns import Column


class Many(NamedTuple):
    """A list whose elements are all of one feature."""

    of: Feature


class Object(NamedTuple):
    """An object, its fields by name."""

    fields: Mapping[str, Feature]


Feature = str | Many | Object


class MixedTypes(ValueError):
    """A column holds values that no one type has."""


def feature_of(value: Any) -> Feature:
    """Of one JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Mapping):
        return Object({name: feature_of(each) for name, each in value.items()})
    made: Feature = "null"
    for each in value:
        made = join(made, feature_of(each))
    return Many(made)


PLAIN = {bool: "bool", int: "int64", float: "float64", str: "string"}


def fits(value: Any, feature: Feature) -> bool:
    """Whether the feature, joined with that of the value, stays what it is: quicker than to join them."""
    if value is None:
        return True
    if isinstance(feature, str):
        found = PLAIN.get(type(value))
        return found == feature or (found == "int64" and feature == "float64")
    if isinstance(feature, Many):
        return isinstance(value, (list, tuple)) and all(fits(each, feature.of) for each in value)
    return type(value) is dict and all_fit(value, feature.fields)


def all_fit(values: Mapping[str, Any], features: Mapping[str, Feature]) -> bool:
    """Whether each value fits the feature of its name, and every name has one."""
    for name, value in values.items():
        known = features.get(name)
        if known is None or not fits(value, known):
            return False
    return True


def join(one: Feature, other: Feature) -> Feature:
    """What both are. Raises MixedTypes."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if (one, other) in (("int64", "float64"), ("float64", "int64")):
        return "float64"
    if isinstance(one, Many) and isinstance(other, Many):
        return Many(join(one.of, other.of))
    if isinstance(one, Object) and isinstance(other, Object):
        return Object(joined(one.fields, other.fields))
    raise MixedTypes(f"{one} and {other} in one column: expected values of one type")


def joined(one: Mapping[str, Feature], other: Mapping[str, Feature]) -> dict[str, Feature]:
    """Columns of both. Raises MixedTypes with the column's name."""
    made = dict(one)
    for name, feature in other.items():
        try:
            made[name] = join(made.get(name, "null"), feature)
        except MixedTypes as error:
            raise MixedTypes(f"{name}: {error}") from None
    return made


def to_yaml(features: Mapping[str, Feature]) -> list[dict[str, Any]]:
    """As `dataset_info.features` lists them."""
    return [{"name": name} | _told(feature) for name, feature in features.items()]


def _told(feature: Feature) -> dict[str, Any]:
    if isinstance(feature, str):
        return {"dtype": feature}
    if isinstance(feature, Object):
        return {"struct": to_yaml(feature.fields)}
    of = feature.of
    if isinstance(of, str):
        return {"list": of}
    return {"list": to_yaml(of.fields) if isinstance(of, Object) else _told(of)}


TYPES = {
    "string": {"dtype": "string"},
    "int": {"dtype": "int64"},
    "float": {"dtype": "float64"},
    "bool": {"dtype": "bool"},
    "ints": {"list": "int64"},
    "floats": {"list": "float64"},
    "strings": {"list": "string"},
}


def of_table(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Of a canonical table, as `dataset_info.features` lists them."""
    return [{"name": name} | TYPES[column.type] for name, column in columns.items()]


def read_yaml(told: Iterable[Mapping[str, Any]]) -> dict[str, Feature]:
    """What `to_yaml` wrote."""
    return {each["name"]: _read(each) for each in told}


def _read(told: Mapping[str, Any]) -> Feature:
    if "dtype" in told:
        return str(told["dtype"])
    if "struct" in told:
        return Object(read_yaml(told["struct"]))
    of = told["list"]
    return Many(of if isinstance(of, str) else Object(read_yaml(of)) if isinstance(of, list) else _read(of))
