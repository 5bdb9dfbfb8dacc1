"""Options that say nothing: what an image's rule lists and what there is in, the warnings out."""

from __future__ import annotations

import pytest

from distroless_rules.deb.compose_advice import warnings
from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.cuts import EXCLUDED
from distroless_rules.deb.package import DebIndex
from distroless_rules.values.tree import Entry, Kind


def file(path: str) -> Entry:
    return Entry(path, Kind.FILE, 0o644, size=1, sha256="a" * 64)


DEBS = {
    "nano": DebIndex({"Package": "nano"}, entries=[file("bin/nano"), file("usr/share/locale/de/LC_MESSAGES/nano.mo")]),
    "libc6": DebIndex({"Package": "libc6"}, entries=[file("usr/lib/x86_64-linux-gnu/libc.so.6")]),
}
SAID = {
    "what is there": (
        Options(
            keep=("/bin/nano", "/usr/bin/*", "/app", "/usr/share/locale"),
            exclude=("/usr/lib/**/libc.so*",),
            excluded=("libgpm2",),
            accept=("nano",),
            locales=("de",),
            cut=(("nano", "libgpm2", EXCLUDED),),
        ),
        [],
    ),
    "a path to be kept": (
        Options(keep=("/usr/bin/nanno",)),
        ['keep: "/usr/bin/nanno" is no path in the image; did you mean "/usr/bin/nano"?'],
    ),
    "a deb whose dependencies are kept": (
        Options(kept=("nanno", "libgpm2", "nano"), offered=("libgpm2",)),
        ['keep: "nanno" is no deb of the image; did you mean "nano"?'],
    ),
    "a glob": (Options(keep=("/opt/*",)), ['keep: "/opt/*" is no path in the image']),
    "a path to be left out": (
        Options(exclude=("/app/main.py",)),
        ['exclude: "/app/main.py" is no path in the image\'s debs'],
    ),
    "a deb to be left out": (
        Options(excluded=("libgpm",), cut=(("nano", "libgpm2", "is no matter"),)),
        ['exclude: "libgpm" is no deb that one of the image needs; did you mean "libgpm2"?'],
    ),
    "a deb to be left out, of those of the build stage": (
        Options(excluded=("libssl3", "libsl3"), offered=("zlib1g",), barred=("libssl3",)),
        ['exclude: "libsl3" is no deb that one of the image needs; did you mean "libssl3"?'],
    ),
    "a deb whose scripts are accepted": (
        Options(accept=("nanno",)),
        ['accept: "nanno" is no deb of the image; did you mean "nano"?'],
    ),
    "a language": (
        Options(locales=("dee", "de_AT")),
        ['locales: "dee" is a language that no deb of the image is translated into; did you mean "de"?'],
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_said(case: str) -> None:
    options, expected = SAID[case]
    assert list(warnings(options, DEBS, ["app/main.py"], ())) == expected


def test_what_nothing_lacks() -> None:
    (said,) = warnings(Options(), DEBS, (), ["libgpm.so.2"])
    assert said == 'allow_missing: "libgpm.so.2" is nothing that a file of the image needs and does not find'
