"""Logs of builds taken apart and put together: the file of one in, its JSON values out, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distroless_rules.logs.file import pack
from tests.support.command import Commands

__all__ = ["assembled", "logs_of", "parts_of", "written"]


def logs_of(commands: Commands) -> list[Path]:
    """Give the logs of a workspace, the oldest first."""
    return sorted((commands.cache / "state/logs").rglob("*.log.zst"))


def parts_of(text: bytes) -> dict[str, Any]:
    """Give the values of a log's text: ``head``, ``sources``, ``declared`` and ``actions``."""
    head, sources, declared, *actions, _ = map(json.loads, text.splitlines())
    return {"head": head, "sources": sources["sources"], "declared": declared["declared"], "actions": actions}


def _lines(parts: dict[str, Any]) -> list[str]:
    actions = parts.get("actions")
    rows = actions if isinstance(actions, list) else [actions]
    values = [{key: parts[key]} if key in parts else {} for key in ("sources", "declared")]
    return [json.dumps(value) for value in (parts.get("head"), *values, *rows, {"actions": len(rows)})]


def assembled(parts: dict[str, Any]) -> bytes:
    """Give the text of a log."""
    return "".join(f"{line}\n" for line in _lines(parts)).encode()


def written(parts: dict[str, Any]) -> bytes:
    """Give the file of a log."""
    head, *lines = _lines(parts)
    return pack(head, lines)
