"""The attributes of every built-in rule, with their types and defaults, and the error that a wrong type gives each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import Location
from distroless_rules.loading.attributes import Attribute
from distroless_rules.loading.loader import Loader
from distroless_rules.values.label import Label
from tests.support.showing import LOAD
from tests.support.workspace import error_of, loaded

Rules = Mapping[str, tuple[str, Mapping[str, Attribute]]]
LISTING = Path(__file__).parent / "attributes.lst"
WRONG = {
    "string": ("3", "a string", "the integer 3"),
    "bool": ('"yes"', "True or False", 'the string "yes"'),
    "int": ("True", "an integer", "True"),
    "string_list": ('["a", 3]', "a list of strings", 'the list ["a", 3]'),
    "string_dict": ('{"a": 1}', "a dictionary of strings", 'the dictionary {"a": 1}'),
    "label": ('["a"]', "a label", 'the list ["a"]'),
    "label_list": ('":a"', "a list of labels", 'the string ":a"'),
    "string_keyed_label_dict": ("7", "a dictionary from strings to labels or a list of labels", "the integer 7"),
    "output_list": ('"a"', "a list of file names", 'the string "a"'),
    "output": ('{"a": "b"}', "a file name", 'the dictionary {"a": "b"}'),
}


def _rules(loader: Loader) -> dict[str, tuple[str, dict[str, Attribute]]]:
    loader.module(Label("distroless_rules", "rules", "defs.bzl"), Location("BUILD"))
    return {rule.name: (rule.doc, dict(rule.attributes)) for rule in loader.rules}


RULES: Rules = loaded("filegroup(name = 'a')\n", _rules)


def _listing() -> str:
    lines = []
    for rule, (doc, attributes) in sorted(RULES.items()):
        lines.append(f"{rule}: {doc}")
        for name, attribute in attributes.items():
            default = "mandatory" if attribute.mandatory else json.dumps(attribute.default, ensure_ascii=False)
            lines.append(f"  {name} = {default} ({attribute.type}) {attribute.doc}")
    return "".join(f"{line}\n" for line in lines)


def test_the_attributes_of_every_rule() -> None:
    assert LISTING.read_text("utf-8") == _listing()


def test_everything_has_a_documentation() -> None:
    for rule, (doc, attributes) in RULES.items():
        assert doc.endswith("."), rule
        for name, attribute in attributes.items():
            assert attribute.doc.endswith("."), f"{rule}.{name}"


def _cases() -> list[tuple[str, str, Any]]:
    return [(rule, name, attribute) for rule, (_, found) in sorted(RULES.items()) for name, attribute in found.items()]


@pytest.mark.parametrize(
    ("rule", "name", "attribute"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in _cases()]
)
def test_a_value_of_another_type(rule: str, name: str, attribute: Attribute) -> None:
    value, expected, got = WRONG[attribute.type]
    found = error_of(f'{LOAD}{rule}(name = "a", {name} = {value})\n')
    column = len(f'{rule}(name = "a", ') + 1
    assert found == f'BUILD:2:{column}: cannot set "{name}": expected {expected}, got {got}'


if __name__ == "__main__":
    LISTING.write_text(_listing(), "utf-8")
