"""Secrets and keys in an image: what was seen in the bytes of files, names under which they are kept, the config.

No secret is in what is said of it. Source: the documentation of the programs that keep credentials under these names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from distroless_rules.policy import secrets
from distroless_rules.policy.screen import Marks
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Entry, Kind

__all__ = ["check", "in_file", "named"]

_PLACES = (
    (r"(?:.*/)?[._]netrc", "is where programs look for passwords"),
    (r"(?:.*/)?\.git-credentials", "is where git keeps passwords"),
    (r"(?:.*/)?\.aws/credentials", "is where AWS's programs keep keys"),
    (r"(?:.*/)?\.boto", "is where AWS's programs keep keys"),
    (r"(?:.*/)?\.s3cfg", "is where s3cmd keeps keys"),
    (r"(?:.*/)?\.pgpass", "is where PostgreSQL's programs look for passwords"),
    (r"(?:.*/)?\.my\.cnf", "is where MySQL's programs look for passwords"),
    (r"(?:.*/)?\.htpasswd", "holds passwords of a web server"),
    (r"(?:.*/)?\.kube/config", "is where Kubernetes' programs keep credentials"),
    (r"(?:.*/)?\.pypirc", "is where uploads to PyPI look for passwords"),
    (r"(?:.*/)?\.vault-token", "is where Vault keeps its token"),
    (r"(?:.*/)?\.azure/(?:accessTokens|msal_token_cache)\.(?:json|bin)", "is where Azure's programs keep tokens"),
    (r"(?:.*/)?\.config/gcloud/(?:.*/)?(?:credentials\.db|application_default_credentials\.json|adc\.json)",
     "is where Google's programs keep credentials"),
    (r"(?:.*/)?\.ssh/(?!known_hosts$|config$|.*\.pub$).+", "is where SSH keeps keys"),
    (r"(?:.*/)?id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?", "is named as SSH's private keys are"),
    (r"(?:.*/)?\.env(?:\.(?!(?:example|sample|template|dist|defaults?|schema|test)$)[A-Za-z0-9_-]+)?",
     "is where programs look for settings that nobody else may know"),
    (r"(?:.*/)?\.docker/config\.json", "is where docker keeps passwords of registries"),
    (r"(?:.*/)?\.dockercfg", "is where docker keeps passwords of registries"),
)  # fmt: skip
_FILES = tuple((re.compile(pattern), message) for pattern, message in _PLACES)
_MAYBE_EMPTY = (".docker/config.json",)  # of these the passwords in them are the finding
_STORES = re.compile(r".*\.(?:p12|pfx|ppk)")
_CONTROL = re.compile(r"((?:.*/)?(?:\.git|\.hg|\.svn|\.bzr|_darcs))(?:/.*)?")
_NAME = re.compile(
    r"(?:.*_)?(?:PASSWORD|PASSWD|PASS|PWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|APIKEY|ACCESS_KEY|PRIVATE_KEY|SECRET_KEY"
    r"|SECRET_KEY_BASE|CREDENTIALS?|AUTH)",
    re.IGNORECASE,
)
_NO_NAME = frozenset(("PWD", "OLDPWD"))
_NO_VALUE = re.compile(
    r"|[./~].*|\$.*|[0-9]{1,6}|true|false|yes|no|on|off|none|null|required|optional|file:.*|<.*>|\{\{.*\}\}|\*+|x+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(r"(?:^|[\s|;&\"'-])([A-Za-z_][A-Za-z0-9_-]*)=(\"[^\"]*\"|'[^']*'|[^\s;&\"']*)")


def check(subject: Subject) -> Iterator[Violation]:
    """Give the secrets of an image."""
    yield from subject.buried
    control: set[str] = set()
    for path, entry in subject.entries.items():
        found = _CONTROL.fullmatch(path)
        if found and found[1] not in control:
            control.add(found[1])
            yield subject.of_path("version-control", found[1], "is a version control's")
        if entry.kind is Kind.FILE:
            owner = subject.owner(path)
            for check_, message, line in in_file(path, entry, subject.marked(path)):
                yield Violation(check_, f"/{path}", message, str(owner), owner.kind, line=line)
    yield from _config(subject)


def in_file(path: str, entry: Entry, marks: Marks) -> Iterator[tuple[str, str, int]]:
    """Give (check, message, line) of the secrets in a file."""
    is_key = False
    for hit in marks.secrets:
        if hit.kind == secrets.PRIVATE_KEY:
            is_key = True
            yield "private-key", f"holds a {hit.shown}", hit.line
        else:
            yield "secret", f"holds {_a(hit.kind)}: {hit.shown}", hit.line
    if "key-store" in marks.kinds:
        yield "private-key", "is a Java key store with a private key", 0
    elif _STORES.fullmatch(path) and entry.size and not is_key:
        yield "private-key", "is named as stores of private keys are", 0
    message = named(path)
    if entry.size and message and not is_key and not (path.endswith(_MAYBE_EMPTY) and not marks.secrets):
        yield "credential-file", message, 0


def named(path: str) -> str:
    """Say what a file of this name is for, if it is for credentials, ``""`` otherwise."""
    return next((message for pattern, message in _FILES if pattern.fullmatch(path)), "")


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOaeio' else 'a'} {noun}"


def _config(subject: Subject) -> Iterator[Violation]:
    start = subject.config.start
    for name, value in start.env.items():
        yield from _value(f"env {name}", name, value)
    for key, value in start.labels.items():
        yield from _value(f"label {key}", key.rpartition(".")[2], value)
    for what, words in (("entrypoint", start.entrypoint), ("cmd", start.cmd)):
        yield from _words(what, words)
    for number, layer in enumerate(subject.config.history, 1):
        yield from _words(f"history {number}", (layer.created_by,))


def _value(subject: str, name: str, value: str) -> Iterator[Violation]:
    seen = {hit.kind: hit for hit in secrets.find(value.encode("utf-8", "surrogateescape"))}
    for kind, hit in seen.items():
        yield Violation("config-secret", subject, f"holds {_a(kind)}: {hit.shown}")
    if not seen and _is_secret(name, value):
        yield Violation(
            "config-secret", subject, f"is named as secrets are, and has a value of {len(value)} characters"
        )


def _words(subject: str, words: tuple[str, ...]) -> Iterator[Violation]:
    """Look at arguments, and at assignments among them; ``--password`` may have its value in the next word."""
    text = " ".join(words)
    named: Mapping[str, str] = {name.lstrip("-"): value.strip("\"'") for name, value in _ASSIGNED.findall(text)}
    pairs = {
        **named,
        **{word.lstrip("-"): after for word, after in pairwise(words) if _is_flag(word)},
    }
    seen = {hit.kind: hit for hit in secrets.find(text.encode("utf-8", "surrogateescape"))}
    for kind, hit in seen.items():
        yield Violation("config-secret", subject, f"holds {_a(kind)}: {hit.shown}")
    for name, value in pairs.items():
        if not seen and _is_secret(name.replace("-", "_"), value):
            cause = f'gives "{name}" a value of {len(value)} characters, and it is named as secrets are'
            yield Violation("config-secret", subject, cause)


def _is_flag(word: str) -> bool:
    return word.startswith("--") and "=" not in word


def _is_secret(name: str, value: str) -> bool:
    is_named = bool(_NAME.fullmatch(name)) and name not in _NO_NAME
    return is_named and not _NO_VALUE.fullmatch(value) and not value.startswith("--")
