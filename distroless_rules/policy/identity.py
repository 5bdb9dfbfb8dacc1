"""Who the image's program runs as, and who else there is: the config's user, the accounts in its files."""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation

__all__ = ["check"]

_ACCOUNTS = ("etc/passwd", "etc/shadow", "etc/gshadow")


def check(subject: Subject) -> Iterator[Violation]:
    """Give what is wrong with an image's user and accounts."""
    user = subject.config.start.user
    name = user.partition(":")[0]
    if name in ("", "root") or (name.isdecimal() and int(name) == 0):
        said = f'is "{user}"' if user else "is not set, so it is root"
        yield Violation("root-user", "user", said)
    elif not name.isdecimal():
        yield Violation("user-by-name", "user", f'is "{user}", a name')
    for path in _ACCOUNTS:
        for mark in subject.marked(path).kinds:
            what, _, account = mark.partition(":")
            if what == "password":
                yield subject.of_path("password", path, f'has a password for "{account}", or lets it in without')
            elif what == "root":
                yield subject.of_path("second-root", path, f'gives "{account}" the number 0')
