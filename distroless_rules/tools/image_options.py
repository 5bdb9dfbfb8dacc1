"""What a BUILD file says of an image's config, checked: parameters of the tool ``Image`` in, values out.

A mistake in them would else be found by whoever starts the image. Source: OCI image-spec 1.1, config.md "Properties"
and annotations.md "Rules"; signal(7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from distroless_rules.errors import AnalysisError, FormatError, did_you_mean
from distroless_rules.oci.config import Start
from distroless_rules.values.path import clean

__all__ = ["date", "start", "texts"]

_USER = re.compile(r"[^\s:/]+(:[^\s:/]+)?")
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_MAX_PORT = 65535
_LAST_SECOND = 253_402_300_799  # of the year 9999: RFC 3339 has four digits for a year
# Those of Linux on every architecture that Debian has; MIPS alone numbers them differently.
_NAMES = """ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO KILL PIPE PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP
TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"""
_SIGNALS = tuple(f"SIG{name}" for name in _NAMES.split())
_REAL_TIME = re.compile(r"SIGRTMIN\+([1-9]|[12][0-9]|30)|SIGRTMAX-([1-9]|[12][0-9]|30)")
_LAST_SIGNAL = 64


def start(given: Mapping[str, Any], report: Mapping[str, Any]) -> Start:
    """Give how a container is started.

    Args:
        given: entrypoint, cmd, env, user, workdir, labels, exposed_ports, volumes, stop_signal, as attributes.
        report: what ``deb.compose`` says of the image; its ``user`` holds the numbers of the image's user.

    Raises:
        AnalysisError: if a value is not well formed, naming the attribute.
    """
    return Start(
        entrypoint=_words("entrypoint", given),
        cmd=_words("cmd", given),
        env=_env(given),
        user=_user(given.get("user") or "", report),
        workdir=_path("workdir", given.get("workdir") or "/"),
        labels=texts("labels", given),
        ports=tuple(sorted({_port(text) for text in given.get("exposed_ports") or ()})),
        volumes=tuple(sorted({_volume(text) for text in given.get("volumes") or ()})),
        stop_signal=_signal(given.get("stop_signal") or ""),
    )


def texts(attribute: str, given: Mapping[str, Any]) -> dict[str, str]:
    """Give labels or annotations.

    Raises:
        AnalysisError: if a key is empty, or there is a NUL byte in one.
    """
    found: dict[str, str] = given.get(attribute) or {}
    for key, text in found.items():
        if not key or "\0" in key + text:
            raise AnalysisError(f'set "{attribute}"', f"{json.dumps(key)} is not a key with a text")
    return found


def date(seconds: int) -> str:
    """Give a date as RFC 3339 has it.

    Args:
        seconds: since 1970.

    Raises:
        AnalysisError: if it is before 1970 or after 9999.
    """
    if not 0 <= seconds <= _LAST_SECOND:
        raise AnalysisError('set "created"', f"{seconds} is not in the years 1970 to 9999", hint="give seconds")
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(attribute: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    words = tuple(given.get(attribute) or ())
    if any("\0" in word for word in words):
        raise AnalysisError(f'set "{attribute}"', "an argument holds a NUL byte")
    if words and not words[0]:
        raise AnalysisError(f'set "{attribute}"', "its first word is empty")
    return words


def _env(given: Mapping[str, Any]) -> dict[str, str]:
    env: dict[str, str] = given.get("env") or {}
    for name, text in env.items():
        if not name or "=" in name or "\0" in name + text or name.strip() != name:
            raise AnalysisError('set "env"', f"{json.dumps(name)} cannot be an environment variable")
    return env


def _user(text: str, report: Mapping[str, Any]) -> str:
    """Give the user in numbers: nobody but the image knows its names (Kubernetes, ``runAsNonRoot``).

    Where no group was asked for, none is written: with a group, who starts the image would leave out the further
    groups that the image's /etc/group has the user in.
    """
    if not text:
        return ""
    if not _USER.fullmatch(text):
        raise AnalysisError('set "user"', f'"{text}" is not well formed', hint="expected user or user:group")
    numbers: str = report.get("user") or text
    return numbers if ":" in text else numbers.partition(":")[0]


def _path(attribute: str, text: str) -> str:
    if not text.startswith("/"):
        raise AnalysisError(f'set "{attribute}"', f'"{text}" is not an absolute path')
    try:
        return "/" + clean(text, what=f'"{attribute}"')
    except FormatError as error:
        raise AnalysisError(f'set "{attribute}"', error.cause) from error


def _volume(text: str) -> str:
    path = _path("volumes", text)
    if path == "/":
        raise AnalysisError('set "volumes"', "the root folder cannot be a volume")
    return path


def _port(text: str) -> str:
    found = _PORT.fullmatch(text)
    if not found or not 1 <= int(found[1]) <= _MAX_PORT:
        raise AnalysisError('set "exposed_ports"', f'"{text}" is not a port', hint="expected 8080, 8080/tcp or 53/udp")
    return f"{int(found[1])}/{found[2] or 'tcp'}"


def _signal(text: str) -> str:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None
    known = text in _SIGNALS or _REAL_TIME.fullmatch(text)
    if text and not known and not (number and number <= _LAST_SIGNAL):
        hint = did_you_mean(text, _SIGNALS) or "expected a name like SIGTERM or a number"
        raise AnalysisError('set "stop_signal"', f'"{text}" is not a signal', hint=hint)
    return text
