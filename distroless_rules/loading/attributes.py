"""Attributes of rules: the schema that ``attr.*()`` makes, and checking what a BUILD file gives for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distroless_rules.errors import AnalysisError, did_you_mean

__all__ = [
    "LABEL_TYPES",
    "OUTPUT_TYPES",
    "Attribute",
    "a_or_an",
    "branches",
    "check",
    "checked",
    "is_select",
    "schema",
    "shown",
    "with_labels",
]

LABEL_TYPES = frozenset({"label", "label_list", "label_keyed_string_dict", "string_keyed_label_dict"})
OUTPUT_TYPES = frozenset({"output", "output_list"})
_SHAPES = {
    "string": "a string",
    "bool": "True or False",
    "int": "an integer",
    "string_list": "a list of strings",
    "int_list": "a list of integers",
    "string_dict": "a dictionary of strings",
    "string_list_dict": "a dictionary of lists of strings",
    "label": "a label",
    "label_list": "a list of labels",
    "label_keyed_string_dict": "a dictionary from labels to strings",
    "string_keyed_label_dict": "a dictionary from strings to labels",
    "output": "a file name",
    "output_list": "a list of file names",
}
_LABEL = {"repo_name", "workspace_name", "package", "name", "canonical"}  # the fields of what Label() makes
_SHOWN = 80  # characters of a value that are worth showing


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a rule says of one attribute.

    Attributes:
        type: the function of ``attr`` that made it, ``label_list`` for example.
        default: the value when a target gives none.
        mandatory: whether a target must give one.
        doc: for people.
        allow_files: of a label: False, True, or the file name endings that are taken.
        stage: of a label: the side of the cut it leads to, ``build`` or ``runtime``.
        single_file: of a label: whether it must be exactly one file.
        platforms: of a label: the attribute, a list of strings, with the platforms that it is built for; the
            implementation gets a list with a target for each. ``""``: it is built for what its user is built for.
        execution: of a label: whether it is built for the machine that performs actions, whatever its user is for.
        values: the only values allowed, if any are named.
        allow_empty: whether a list or dictionary may be empty.
        allow_list: of a string_keyed_label_dict: whether a list of labels does as well.
        configurable: whether a target may give it by a ``select()``.
    """

    type: str
    default: Any = None
    mandatory: bool = False
    doc: str = ""
    allow_files: bool | tuple[str, ...] = False
    stage: str = "runtime"
    single_file: bool = False
    platforms: str = ""
    execution: bool = False
    values: tuple[Any, ...] = ()
    allow_empty: bool = True
    allow_list: bool = False
    configurable: bool = True


_COMMON = {
    "name": Attribute("string", mandatory=True, configurable=False),
    "visibility": Attribute("string_list", configurable=False),
    "tags": Attribute("string_list", configurable=False),
    "testonly": Attribute("bool", configurable=False),
    "deprecation": Attribute("string", configurable=False),
}


def schema(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Read the schemas that a ``rule()`` call handed over.

    Raises:
        AnalysisError: for a name that is taken or is none, a default of the wrong type, or platforms from nowhere.
    """
    made = {}
    for name, fields in raw.items():
        if name in _COMMON or not name.isidentifier():
            cause = "every rule has one already" if name in _COMMON else "it is not a name"
            raise AnalysisError(f'declare the attribute "{name}"', cause)
        given = {key: value for key, value in fields.items() if value is not None}
        for key in ("values", "allow_files"):
            if isinstance(given.get(key), list):
                given[key] = tuple(given[key])
        if given["type"] in LABEL_TYPES:
            given["default"] = _with_text(given.get("default"))
        attribute = made[name] = Attribute(**given)
        if attribute.default is not None and not _fits(attribute, attribute.default):
            cause = f"expected {_SHAPES[attribute.type]}, got {shown(attribute.default)}"
            raise AnalysisError(f'set the default of "{name}"', cause)
    for name, attribute in made.items():
        if attribute.platforms and (attribute.platforms not in made or made[attribute.platforms].type != "string_list"):
            cause = f'its platforms are those of "{attribute.platforms}", which is no string_list of the rule'
            raise AnalysisError(f'declare the attribute "{name}"', cause)
    return made


def with_labels(schemas: Mapping[str, Attribute], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values in which what ``Label()`` made is the text of the label, where a label is asked for."""
    return {
        name: _with_text(value) if name in schemas and schemas[name].type in LABEL_TYPES else value
        for name, value in values.items()
    }


def _with_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_text(part) for part in value]
    if isinstance(value, dict):
        return value["canonical"] if value.keys() == _LABEL else {key: _with_text(part) for key, part in value.items()}
    return value


def is_select(value: Any) -> bool:
    """Say whether a value, or a part of a list, is what ``select()`` gave."""
    return isinstance(value, dict) and value.keys() == {"$select", "$error"} and isinstance(value["$select"], dict)


def branches(value: Any) -> Iterator[Any]:
    """Give every value that ``value`` may resolve to: itself, or what the branches of its selects hold."""
    if isinstance(value, list) and any(is_select(part) for part in value):
        plain = [part for part in value if not is_select(part)]
        if plain or len(value) > 1:
            yield plain
        for part in value:
            if is_select(part):
                yield from part["$select"].values()
    else:
        yield value


def check(rule: str, schemas: Mapping[str, Attribute], values: Mapping[str, Any]) -> None:
    """Check the attributes of a target: known, given when they must be, of the right type in every branch.

    Raises:
        AnalysisError: naming the attribute; the caller knows the place.
    """
    for name, value in values.items():
        attribute = _COMMON.get(name) or schemas.get(name)
        if attribute is None or name.startswith("_"):
            known = [known for known in schemas if not known.startswith("_")]
            raise AnalysisError(
                f'set "{name}"', f"{rule} has no such attribute", hint=did_you_mean(name, [*known, *_COMMON])
            )
        if value is not None:
            _check_branches(name, attribute, value)
    for name, attribute in schemas.items():
        if attribute.mandatory and values.get(name) is None:
            raise AnalysisError(f"declare {a_or_an(rule)}", f'the attribute "{name}" is missing')


def a_or_an(kind: str) -> str:
    """Give the name of a rule with its article."""
    return f"an {kind}" if kind[0] in "aeiou" and not kind.startswith(("uni", "use")) else f"a {kind}"


def _check_branches(name: str, attribute: Attribute, value: Any) -> None:
    selects = isinstance(value, list) and any(is_select(part) for part in value)
    if not selects:
        checked(name, attribute, value)
        return
    if not attribute.configurable or attribute.type in OUTPUT_TYPES:
        raise AnalysisError(f'set "{name}"', "it is read before a platform is known and cannot be a select()")
    if len(value) > 1 and "list" not in attribute.type:
        cause = f"a select() can be added to lists only, and this is {_SHAPES[attribute.type]}"
        raise AnalysisError(f'set "{name}"', cause)
    for possible in branches(value):
        if possible is not None and not (isinstance(possible, list) and len(value) > 1 and not possible):
            checked(name, attribute, possible)


def checked(name: str, attribute: Attribute, value: Any) -> Any:
    """Check one value, selects already resolved, and give it back.

    Raises:
        AnalysisError: if it has another type or is not allowed.
    """
    if not _fits(attribute, value):
        shape = _SHAPES[attribute.type] + (" or a list of labels" if attribute.allow_list else "")
        raise AnalysisError(f'set "{name}"', f"expected {shape}, got {shown(value)}")
    if attribute.values and value not in attribute.values:
        allowed = ", ".join(_literal(allowed) for allowed in attribute.values)
        hint = did_you_mean(value, attribute.values) if isinstance(value, str) else ""
        raise AnalysisError(f'set "{name}"', f"{_literal(value)} is not one of {allowed}", hint=hint)
    if not attribute.allow_empty and not value:
        raise AnalysisError(f'set "{name}"', "it must not be empty")
    return value


def _fits(attribute: Attribute, value: Any) -> bool:
    kind = attribute.type
    if kind in ("string", "label", "output"):
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in ("string_list", "label_list", "output_list"):
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    if kind == "int_list":
        return isinstance(value, list) and all(isinstance(part, int) and not isinstance(part, bool) for part in value)
    if kind == "string_keyed_label_dict" and attribute.allow_list and isinstance(value, list):
        return all(isinstance(part, str) for part in value)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return False
    if kind == "string_list_dict":
        return all(isinstance(v, list) and all(isinstance(part, str) for part in v) for v in value.values())
    return all(isinstance(part, str) for part in value.values())


def shown(value: Any) -> str:
    """Describe a value of a BUILD file: ``the list ["a", 3]``."""
    names = {str: "the string ", int: "the integer ", float: "the number ", list: "the list ", dict: "the dictionary "}
    if isinstance(value, list) and any(is_select(part) for part in value):
        return "a select()"
    text = _literal(value)
    return names.get(type(value), "") + (text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _literal(value: Any) -> str:
    """Write a value as a BUILD file does."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value[:_SHOWN]))}]"
    if isinstance(value, dict) and value.keys() == _LABEL:
        return f'Label("{value["canonical"]}")'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(part)}" for key, part in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
