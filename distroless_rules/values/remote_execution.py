"""What is said about an engine that runs commands: in ``distroless.toml``, the environment, on the command line.

Later ones win. Nothing is read or asked here: an address is checked where it is used (``storage.endpoint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from distroless_rules.errors import ConfigError, did_you_mean
from distroless_rules.values.remote_cache import NO_REMOTE, RemoteCache, same_server, with_address

__all__ = [
    "NO_EXECUTION",
    "NO_EXECUTION_OPTIONS",
    "ExecutionOptions",
    "RemoteExecution",
    "Strategy",
    "chosen_execution",
]

_VARIABLE = "DISTROLESS_REMOTE_EXECUTOR"


class Strategy(Enum):
    """Where commands are run."""

    LOCAL = "local"  # on this machine
    REMOTE = "remote"  # on the engine
    DYNAMIC = "dynamic"  # on the engine, and here too if that takes long; the first result counts

    @staticmethod
    def parse(text: str, doing: str) -> Strategy:
        """Read one.

        Raises:
            ConfigError: if there is none of that name.
        """
        names = [strategy.value for strategy in Strategy]
        if text not in names:
            hint = did_you_mean(text, names) or f"write {', '.join(names[:-1])} or {names[-1]}"
            raise ConfigError(doing, f'there is no strategy "{text}"', hint=hint)
        return Strategy(text)


@dataclass(frozen=True)
class RemoteExecution:
    """An engine, and what is to be done with it.

    Attributes:
        server: where it is and who asks; without an address there is none.
        strategy: where commands are run.
        kinds: mnemonic -> where such commands are run.
        jobs: how many it is given at once.
        fallback: whether this machine does what it does not.
        priority: of executions; lower ones go first, 0 is the engine's own choice.
        delay: seconds that it has before this machine begins too, with ``Strategy.DYNAMIC``.
        properties: name and value of what a worker must be.
    """

    server: RemoteCache = field(default_factory=lambda: replace(NO_REMOTE, source='"remote" in [execution]'))
    strategy: Strategy = Strategy.REMOTE
    kinds: Mapping[str, Strategy] = field(default_factory=dict)
    jobs: int = 32
    fallback: bool = True
    priority: int = 0
    delay: float = 1.0
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ExecutionOptions:
    """What the command line says.

    Attributes:
        address: of the engine; None: nothing.
        strategies: ``WHERE`` or ``MNEMONIC=WHERE``.
    """

    address: str | None = None
    strategies: tuple[str, ...] = ()


NO_EXECUTION = RemoteExecution()
NO_EXECUTION_OPTIONS = ExecutionOptions()


def chosen_execution(
    file: RemoteExecution, cache: RemoteCache, environment: Mapping[str, str], options: ExecutionOptions
) -> RemoteExecution:
    """Join what the file, the environment and the command line say.

    Who asks is what the shared cache is told, where that is the same server and nothing else is said.

    Raises:
        ConfigError: if a strategy is none, or is not ``local`` though there is no engine.
    """
    server = with_address(file.server, environment.get(_VARIABLE), _VARIABLE)
    server = with_address(server, options.address, "--remote-executor")
    server = replace(server, token=environment.get(f"{_VARIABLE}_TOKEN", "") or server.token)
    if not _says_who(server) and same_server(server.address, cache.address):
        server = replace(cache, address=server.address, source=server.source, seconds=server.seconds)
    strategy, kinds = _strategies(options.strategies, file)
    if options.strategies and not server.address and {strategy, *kinds.values()} != {Strategy.LOCAL}:
        hint = 'name one with --remote-executor, or as "remote" in [execution]'
        raise ConfigError("run commands remotely", "there is no engine", hint=hint)
    return replace(file, server=server, strategy=strategy, kinds=kinds)


def _strategies(words: Iterable[str], file: RemoteExecution) -> tuple[Strategy, Mapping[str, Strategy]]:
    strategy, kinds = file.strategy, dict(file.kinds)
    for word in words:
        kind, equals, name = word.rpartition("=")
        found = Strategy.parse(name, f'read --strategy "{word}"')
        if equals:
            kinds[kind] = found
        else:
            strategy = found
    return strategy, kinds


def _says_who(server: RemoteCache) -> bool:
    return bool(server.headers or server.token or server.token_file or server.helper or server.ca or server.certificate)
