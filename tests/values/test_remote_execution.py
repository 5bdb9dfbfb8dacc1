"""What is said about an engine, joined: who wins, and that nobody's credentials reach another server."""

from __future__ import annotations

import pytest

from distroless_rules.errors import ConfigError
from distroless_rules.values.remote_cache import NO_REMOTE, RemoteCache
from distroless_rules.values.remote_execution import (
    NO_EXECUTION,
    NO_EXECUTION_OPTIONS,
    ExecutionOptions,
    RemoteExecution,
    Strategy,
    chosen_execution,
)

CACHE = RemoteCache("grpcs://one.example:443/cache", token="t", headers=(("x", "y"),))
FILE = RemoteExecution(RemoteCache("grpcs://file.example:443", headers=(("a", "b"),)))
HERE = {"DISTROLESS_REMOTE_EXECUTOR": "grpcs://env.example:443"}


@pytest.mark.parametrize(
    ("file", "environment", "option", "address", "headers"),
    [
        (FILE, {}, None, "grpcs://file.example:443", (("a", "b"),)),
        (FILE, HERE, None, "grpcs://env.example:443", ()),
        (FILE, HERE, "grpc://word.example:1", "grpc://word.example:1", ()),
        (FILE, HERE, "", "", ()),
        (FILE, {}, "grpcs://file.example:443/other", "grpcs://file.example:443/other", (("a", "b"),)),
        (NO_EXECUTION, {}, "grpcs://one.example:443/exec", "grpcs://one.example:443/exec", (("x", "y"),)),
        (NO_EXECUTION, {}, "grpcs://two.example:443/exec", "grpcs://two.example:443/exec", ()),
        (NO_EXECUTION, {}, "grpcs://one.example:444", "grpcs://one.example:444", ()),
    ],
)
def test_who_is_asked_and_who_asks(
    file: RemoteExecution,
    environment: dict[str, str],
    option: str | None,
    address: str,
    headers: tuple[tuple[str, str], ...],
) -> None:
    found = chosen_execution(file, CACHE, environment, ExecutionOptions(option)).server
    assert (found.address, found.headers) == (address, headers)
    assert found.token == ("t" if headers == CACHE.headers else "")


def test_strategies_of_the_command_line_come_last() -> None:
    file = RemoteExecution(FILE.server, Strategy.DYNAMIC, {"A": Strategy.LOCAL, "B": Strategy.LOCAL})
    found = chosen_execution(file, NO_REMOTE, {}, ExecutionOptions(strategies=("remote", "A=dynamic")))
    assert (found.strategy, found.kinds) == (Strategy.REMOTE, {"A": Strategy.DYNAMIC, "B": Strategy.LOCAL})


def test_nothing_is_remote_without_an_engine() -> None:
    assert chosen_execution(NO_EXECUTION, NO_REMOTE, {}, NO_EXECUTION_OPTIONS).server.address == ""
    assert chosen_execution(NO_EXECUTION, NO_REMOTE, {}, ExecutionOptions(strategies=("local",))).server.address == ""
    with pytest.raises(ConfigError, match="there is no engine"):
        chosen_execution(NO_EXECUTION, NO_REMOTE, {}, ExecutionOptions(strategies=("remote",)))
    with pytest.raises(ConfigError, match='cannot read --strategy "A=": there is no strategy ""'):
        chosen_execution(FILE, NO_REMOTE, {}, ExecutionOptions(strategies=("A=",)))
