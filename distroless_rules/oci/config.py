"""Configs of images: how a container is started, and which layers it is made of. Values in, a document out, and back.

Source: OCI image-spec 1.1, config.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import FormatError
from distroless_rules.oci import document
from distroless_rules.values.platform import Platform

__all__ = ["Config", "History", "Start"]

_WHAT = "an image's config"
_DIFF_ID = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Start:
    """How a container is started.

    Attributes:
        entrypoint: the program and its first arguments.
        cmd: further arguments, or the program where there is no entrypoint.
        env: environment variables.
        user: ``user`` or ``user:group``, names or numbers; ``""`` is root.
        workdir: the folder that the program starts in, absolute; ``""`` is the root.
        labels: texts by key, for people and programs.
        ports: ``8080/tcp``.
        volumes: absolute paths of folders that hold data from outside.
        stop_signal: ``SIGTERM``; ``""`` leaves it to who runs the image.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""

    def document(self) -> dict[str, Any]:
        """Give it as the JSON values of ``config``; what is empty is left out."""
        made: dict[str, Any] = {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Env": [f"{name}={self.env[name]}" for name in sorted(self.env)],
            "User": self.user,
            "WorkingDir": self.workdir,
            "Labels": dict(self.labels),
            "ExposedPorts": {port: {} for port in self.ports},
            "Volumes": {volume: {} for volume in self.volumes},
            "StopSignal": self.stop_signal,
        }
        return {name: value for name, value in made.items() if value}


@dataclass(frozen=True, slots=True)
class History:
    """What made a layer.

    Attributes:
        created_by: in words.
        empty_layer: whether it changed nothing but the config.
    """

    created_by: str
    empty_layer: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """An image's config.

    Attributes:
        platform: what the image runs on.
        start: how a container is started.
        diff_ids: ``sha256:<hex>`` of each layer's tar archive, the lowest first.
        history: what made the layers, in the same order.
        created: when, as RFC 3339 has it: ``1970-01-01T00:00:00Z``; ``""`` when it does not say.
        author: who made it.
    """

    platform: Platform
    start: Start = Start()
    diff_ids: tuple[str, ...] = ()
    history: tuple[History, ...] = ()
    created: str = ""
    author: str = ""

    def dump(self) -> bytes:
        """Write the document."""
        made: dict[str, Any] = {
            "architecture": self.platform.architecture,
            "os": self.platform.os,
            "config": self.start.document(),
            "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids)},
        }
        texts = {"variant": self.platform.variant, "created": self.created, "author": self.author}
        made |= {name: text for name, text in texts.items() if text}
        if self.history:
            made["history"] = [self._entry(entry) for entry in self.history]
        return document.canonical(made)

    def _entry(self, entry: History) -> dict[str, Any]:
        made: dict[str, Any] = {"created_by": entry.created_by}
        if self.created:
            made["created"] = self.created
        if entry.empty_layer:
            made["empty_layer"] = True
        return made

    @staticmethod
    def loads(data: bytes) -> Config:
        """Read a config; fields that are not known here are passed over.

        Raises:
            FormatError: if it is malformed.
        """
        value = document.loads(data, _WHAT)
        rootfs = document.field(value, "rootfs", dict, _WHAT)
        diff_ids = document.strings(rootfs, "diff_ids", _WHAT)
        for diff_id in diff_ids:
            if not _DIFF_ID.fullmatch(diff_id):
                raise FormatError(f"read {_WHAT}", f'"{diff_id[:80]}" is not the diff ID of a layer')
        start = value.get("config") or {}
        if not isinstance(start, dict):
            raise FormatError(f"read {_WHAT}", '"config" is not an object')
        return Config(
            platform=Platform(
                document.field(value, "os", str, _WHAT),
                document.field(value, "architecture", str, _WHAT),
                _text(value, "variant"),
            ),
            start=_start(start),
            diff_ids=diff_ids,
            history=_history(value),
            created=_text(value, "created"),
            author=_text(value, "author"),
        )


def _start(value: Mapping[str, Any]) -> Start:
    env = {}
    for variable in document.strings(value, "Env", _WHAT):
        name, equals, text = variable.partition("=")
        if not name or not equals:
            raise FormatError(f"read {_WHAT}", f'"{variable[:80]}" is not an environment variable')
        env[name] = text
    return Start(
        entrypoint=document.strings(value, "Entrypoint", _WHAT),
        cmd=document.strings(value, "Cmd", _WHAT),
        env=env,
        user=_text(value, "User"),
        workdir=_text(value, "WorkingDir"),
        labels=document.text_map(value, "Labels", _WHAT),
        ports=_names(value, "ExposedPorts"),
        volumes=_names(value, "Volumes"),
        stop_signal=_text(value, "StopSignal"),
    )


def _history(value: Mapping[str, Any]) -> tuple[History, ...]:
    found = value.get("history") or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise FormatError(f"read {_WHAT}", '"history" is not a list of objects')
    return tuple(History(_text(entry, "created_by"), entry.get("empty_layer") is True) for entry in found)


def _text(value: Mapping[str, Any], name: str) -> str:
    if value.get(name) is None:
        return ""
    found: str = document.field(value, name, str, _WHAT)
    return found


def _names(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Give the names of what JSON has in place of a set: an object of empty objects."""
    found = value.get(name) or {}
    if not isinstance(found, dict):
        raise FormatError(f"read {_WHAT}", f'"{name}" is not an object')
    return tuple(found)
