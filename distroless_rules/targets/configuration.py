"""A configuration, and what ``select()`` makes of a value under it.

Source: Bazel's "Configurable build attributes": the most specialised of the conditions that match wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import AnalysisError, ConfigError
from distroless_rules.loading.attributes import Attribute, a_or_an, is_select
from distroless_rules.loading.package import Declared
from distroless_rules.values.platform import Platform

__all__ = ["DEFAULT_CONDITION", "Configuration", "conditions_of", "resolve"]

DEFAULT_CONDITION = "//conditions:default"


@dataclass(frozen=True)
class Configuration:
    """What targets are built for.

    Attributes:
        platform: the platform of the outputs.
        define: values given by ``--define``.
    """

    platform: Platform
    define: Mapping[str, str] = field(default_factory=dict)


def conditions_of(setting: Declared) -> frozenset[tuple[str, str]]:
    """Give what a ``config_setting`` or ``platform`` target asks for, as (what, value) pairs.

    Raises:
        AnalysisError: if the target is neither, or asks for nothing.
    """
    values = setting.values
    if setting.rule.name == "platform":
        return frozenset({("platform", _platform(setting, values["platform"]))})
    if setting.rule.name != "config_setting":
        raise AnalysisError(f'select on "{setting.label}"', f"it is {a_or_an(setting.rule.name)}, not a config_setting")
    platforms = [_platform(setting, text) for text in values.get("platforms") or ()]
    wanted = {("platform", "|".join(platforms))} if platforms else set()
    for name in ("define", "define_values"):
        wanted |= {(f"define {key}", value) for key, value in (values.get(name) or {}).items()}
    for key, value in (values.get("values") or {}).items():
        name, equals, given = value.partition("=")
        if key != "define" or not equals:
            raise AnalysisError(
                f'select on "{setting.label}"', f'"{key}" is not a known flag', hint='write {"define": "key=value"}'
            )
        wanted.add((f"define {name}", given))
    if not wanted:
        raise AnalysisError(f'select on "{setting.label}"', "it asks for nothing")
    return frozenset(wanted)


def _platform(setting: Declared, text: str) -> str:
    try:
        return str(Platform.parse(text))
    except ConfigError as error:
        error.at = setting.at
        raise


def matches(conditions: frozenset[tuple[str, str]], configuration: Configuration) -> bool:
    """Say whether every condition holds."""
    for what, value in conditions:
        if what == "platform":
            if str(configuration.platform) not in value.split("|"):
                return False
        elif configuration.define.get(what.removeprefix("define ")) != value:
            return False
    return True


def resolve(
    attribute: Attribute,
    value: Any,
    configuration: Configuration,
    setting: Callable[[str], Declared],
) -> Any:
    """Give ``value`` with every select replaced by the branch that fits.

    Args:
        attribute: the attribute it is for.
        value: what the BUILD file gave.
        configuration: what is built for.
        setting: gives the ``config_setting`` that a condition's label names.

    Returns:
        The plain value; None when the branch is None, which means the attribute's default.

    Raises:
        AnalysisError: when no branch fits, or several that disagree.
    """
    if not isinstance(value, list) or not any(is_select(part) for part in value):
        return value
    parts = [_choose(part, configuration, setting) if is_select(part) else [part] for part in value]
    if len(value) == 1:
        return parts[0]
    if "list" not in attribute.type:
        raise AnalysisError("add to a select()", f"a {attribute.type} cannot be put together from parts")
    joined: list[Any] = []
    for part in parts:
        if part is not None:
            joined.extend(part if isinstance(part, list) else [part])
    return joined


def _choose(marker: Mapping[str, Any], configuration: Configuration, setting: Callable[[str], Declared]) -> Any:
    table: Mapping[str, Any] = marker["$select"]
    fitting: list[tuple[frozenset[tuple[str, str]], str]] = []
    for text in table:
        if text != DEFAULT_CONDITION:
            conditions = conditions_of(setting(text))
            if matches(conditions, configuration):
                fitting.append((conditions, text))
    if not fitting:
        if DEFAULT_CONDITION in table:
            return table[DEFAULT_CONDITION]
        wanted = ", ".join(f'"{text}"' for text in table)
        cause = marker.get("$error") or f"none of {wanted} is true for {configuration.platform}"
        raise AnalysisError("resolve select()", cause, hint=f'add a branch "{DEFAULT_CONDITION}"')
    best = [(c, text) for c, text in fitting if not any(c < other for other, _ in fitting)]
    if any(table[text] != table[best[0][1]] for _, text in best):
        named = " and ".join(f'"{text}"' for _, text in best)
        raise AnalysisError("resolve select()", f"{named} are both true and give different values")
    return table[best[0][1]]
