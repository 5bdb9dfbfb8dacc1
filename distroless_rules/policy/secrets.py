"""Secrets of well-known forms: bytes in, what kind of secret is on which line out - never the secret itself.

A pattern is tried only where one of its anchors is: looking for a few bytes costs little, regular expressions much.
Examples of documentation are none: what says EXAMPLE, repeats itself, or stands for a user's own text.

Source: the published forms of the tokens of each service; RFC 7468 and RFC 4880 6.2 (armour); RFC 3986 3.2.1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["PRIVATE_KEY", "Secret", "find"]

PRIVATE_KEY = "private key"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was found.

    Attributes:
        kind: what it is: ``GitHub token``, ``private key``.
        line: the line it begins on, counted from 1.
        shown: what may be said of it.
    """

    kind: str
    line: int
    shown: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A form of secrets: one of ``anchors`` is in each, ``form`` matches it, and its group ``secret`` is the secret."""

    kind: str
    anchors: tuple[bytes, ...]
    form: re.Pattern[bytes]
    secret: int = 0


def _pattern(kind: str, anchors: str, form: str, secret: int = 0) -> _Pattern:
    return _Pattern(kind, tuple(anchors.encode().split()), re.compile(form.encode()), secret)


_END = r"(?![A-Za-z0-9_])"
_START = r"(?<![A-Za-z0-9_])"
_PATTERNS = (
    _pattern("AWS access key", "AKIA ASIA", rf"{_START}A[KS]IA[A-Z0-9]{{16}}{_END}"),
    _pattern(
        "AWS secret key",
        "aws_secret AWS_SECRET SecretAccessKey secretAccessKey",
        r"(?i:aws_secret_access_key|aws_secret_key|secretaccesskey)[\"']?\s{0,4}[=:]{1,2}>?\s{0,4}[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        1,
    ),
    _pattern("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rf"{_START}gh[pousr]_[A-Za-z0-9]{{36,251}}{_END}"),
    _pattern("GitHub token", "github_pat_", rf"{_START}github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}{_END}"),
    _pattern("GitLab token", "glpat- gldt- glrt-", rf"{_START}gl(?:pat|dt|rt)-[A-Za-z0-9_\-]{{20,}}"),
    _pattern("Slack token", "xoxb- xoxp- xoxa- xoxe- xoxr- xoxs-", rf"{_START}xox[abeprs]-[0-9A-Za-z\-]{{20,}}"),
    _pattern("Slack token", "xapp-", rf"{_START}xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{{20,}}"),
    _pattern(
        "Slack webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,}/[AB][A-Z0-9]{6,}/[A-Za-z0-9]{16,}",
    ),
    _pattern("Stripe key", "sk_live_ rk_live_", rf"{_START}[sr]k_live_[0-9A-Za-z]{{16,}}"),
    _pattern("Google API key", "AIza", rf"{_START}AIza[0-9A-Za-z_\-]{{35}}(?![0-9A-Za-z_\-])"),
    _pattern("Google OAuth secret", "GOCSPX-", rf"{_START}GOCSPX-[0-9A-Za-z_\-]{{28}}"),
    _pattern("npm token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{36}}{_END}"),
    _pattern("npm token", ":_authToken", r":_authToken\s{0,4}=\s{0,4}\"?([A-Za-z0-9_\-]{16,})", 1),
    _pattern("PyPI token", "pypi-AgE", rf"{_START}pypi-AgE[A-Za-z0-9_\-]{{50,}}"),
    _pattern("Docker Hub token", "dckr_pat_ dckr_oat_", rf"{_START}dckr_[po]at_[A-Za-z0-9_\-]{{27,}}"),
    _pattern("registry password", '"auth"', r"\"auth\"\s{0,8}:\s{0,8}\"([A-Za-z0-9+/]{12,}={0,2})\"", 1),
    _pattern("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", rf"{_START}do[opr]_v1_[a-f0-9]{{64}}{_END}"),
    _pattern("Hugging Face token", "hf_", rf"{_START}hf_[A-Za-z]{{34}}{_END}"),
    _pattern("OpenAI key", "T3BlbkFJ", rf"{_START}sk-[A-Za-z0-9_\-]{{16,}}T3BlbkFJ[A-Za-z0-9_\-]{{16,}}"),
    _pattern("Anthropic key", "sk-ant-", rf"{_START}sk-ant-[a-z0-9]{{3,8}}-[A-Za-z0-9_\-]{{32,}}"),
    _pattern("SendGrid key", "SG.", rf"{_START}SG\.[A-Za-z0-9_\-]{{22}}\.[A-Za-z0-9_\-]{{43}}(?![A-Za-z0-9_\-])"),
    _pattern("Azure storage key", "AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)", 1),
    _pattern("HashiCorp Vault token", "hvs. hvb.", rf"{_START}hv[sb]\.[A-Za-z0-9_\-]{{24,}}"),
    _pattern("age key", "AGE-SECRET-KEY-1", rf"{_START}AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{{58}}"),
    _pattern(
        "JSON web token",
        "eyJ",
        rf"{_START}eyJ[A-Za-z0-9_\-]{{14,4096}}\.eyJ[A-Za-z0-9_\-]{{14,8192}}\.[A-Za-z0-9_\-]{{20,1024}}",
    ),
    _pattern(
        "password in a URL",
        "://",
        r"\b[a-z][a-z0-9+.\-]{1,20}://[A-Za-z0-9._~\-]{0,64}:([^\s/:@\"'`<>{}$()%*\\\[\]|,;?#]{3,128}"
        r"|[^\s/:@\"'`<>{}$()*\\\[\]|,;?#]{6,128})@(?!example\.|localhost|127\.|host[:/\"'\s]|\[)[A-Za-z0-9\[]",
        1,
    ),
)
_ARMOUR = re.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3})PRIVATE KEY(?: BLOCK)?-----")
_PUTTY = re.compile(rb"^PuTTY-User-Key-File-[0-9]: [a-z0-9\-]+\r?$", re.MULTILINE)
_BREAK = re.compile(rb"(?:\\[rn]|[\r\n])+")
_FRAME = b" \t\"'+#*/,;>|\\("  # what stands around the lines of a key that a program or document quotes
_HEADER = re.compile(rb"[A-Za-z\-]{3,24}: ?.*")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
_BODY = 2048  # bytes in which a key's first line must come
_EXAMPLE = re.compile(
    rb"example|xxxx|\*\*\*\*|\.\.\.\.|placeholder|changeme|your[_\-]|dummy|redacted|0{8}", re.IGNORECASE
)
_WORDS = re.compile(
    rb"(?:my|the|your|some|test|user|db|s3)?[_\-]?(?:pass(?:w(?:or)?d)?|pwd?|secret|token|key|credentials?|user(?:name)?"
    rb"|foo|bar|baz|test|hunter2|pass1|pass2|123|456|port|host|\.+|x+)[_\-]?[0-9]?",
    re.IGNORECASE,
)
_PUBLISHED = (b"eyJzdWIiOiIxMjM0NTY3ODkw",)  # the claims of the token that documentation of JSON web tokens shows
_LEAST = 2.75  # bits a character: what a random text of 16 characters has at the very least


def find(data: bytes, *, keys_only: bool = False, first_line: int = 1) -> Iterator[Secret]:
    """Find secrets.

    Args:
        data: the bytes of a file, or of a part of one.
        keys_only: whether private keys alone are looked for.
        first_line: the number of the line that ``data`` begins on.
    """
    if b"PRIVATE KEY" in data or b"PuTTY-User" in data:
        for at, what in _keys(data):
            yield Secret(PRIVATE_KEY, first_line + data.count(b"\n", 0, at), what)
    if keys_only:
        return
    for pattern in _PATTERNS:
        if any(anchor in data for anchor in pattern.anchors):
            for match in pattern.form.finditer(data):
                if not _is_example(pattern, match):
                    line = first_line + data.count(b"\n", 0, match.start(pattern.secret))
                    yield Secret(pattern.kind, line, _shown(match[pattern.secret]))


def _keys(data: bytes) -> Iterator[tuple[int, str]]:
    for match in _ARMOUR.finditer(data):
        if _has_body(data[match.end() : match.end() + _BODY]):
            form = match[1].decode().strip()
            yield match.start(), f"{form} private key" if form else "private key"
    for match in _PUTTY.finditer(data):
        yield match.start(), "PuTTY private key"


def _has_body(data: bytes) -> bool:
    """Tell whether a key follows its first line; what only names the form, as code that reads keys does, has none."""
    lines = (line.strip(_FRAME) for line in _BREAK.split(data))
    first = next((line for line in lines if line and not _HEADER.fullmatch(line)), b"")
    return bool(_BASE64.match(first)) and _entropy(first[:64]) > _LEAST


def _is_example(pattern: _Pattern, match: re.Match[bytes]) -> bool:
    secret = match[pattern.secret]
    if _EXAMPLE.search(secret) or any(known in match[0] for known in _PUBLISHED):
        return True
    if pattern.kind == "password in a URL":
        user = match[0].partition(b"://")[2].partition(b":")[0]
        return bool(_WORDS.fullmatch(secret)) or secret == user
    variable = secret[4:] if len(secret) > 16 else secret
    return _entropy(variable) < _LEAST


def _entropy(text: bytes) -> float:
    """Give the bits a character of a text by how often each occurs in it (Shannon)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0


def _shown(secret: bytes) -> str:
    """Say what can be said of a secret: how it begins, and how long it is."""
    head = secret[: min(4, len(secret) // 4)].decode("ascii", "replace")
    return f"{head}... ({len(secret)} characters)"
