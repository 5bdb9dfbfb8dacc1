"""Names of licences become SPDX expressions, and nothing that is written anywhere makes that fail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from distroless_rules.sbom.licences import all_of, expression, slug

LICENSING = get_spdx_licensing()
LICENSING.parse("MIT")  # makes ready, which takes its time

_PARTS = [
    "GPL-2+",
    "Expat",
    "X",
    "and",
    "or",
    ",",
    "(",
    ")",
    "with",
    "exception",
    "|",
    "later",
    "BSD",
    "AND",
    "\n",
    "é",
]


def refer(name: str) -> str:
    return f"LicenseRef-{slug(name)}"


@pytest.mark.parametrize(
    ("synopsis", "expected"),
    [
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2 or later", "GPL-2.0-or-later"),
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("AGPL-3", "AGPL-3.0-only"),
        ("GFDL-1.3-no-invariants+", "GFDL-1.3-no-invariants-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("Artistic", "Artistic-1.0"),
        ("Perl", "GPL-1.0-or-later OR Artistic-1.0"),
        ("apache-2.0", "Apache-2.0"),
        ("MPL-2.0+", "MPL-2.0+"),
        ("public-domain", "LicenseRef-public-domain"),
        ("BSD", "LicenseRef-BSD"),
        ("", ""),
        (" \n ", ""),
        ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0"),
        ("GPL-2+ and Expat", "GPL-2.0-or-later AND MIT"),
        ("GPL-2+ or Artistic and Expat", "GPL-2.0-or-later OR Artistic-1.0 AND MIT"),
        ("GPL-2+ or Artistic, and BSD-3-clause", "(GPL-2.0-or-later OR Artistic-1.0) AND BSD-3-Clause"),
        ("GPL-2+ or Artistic, or Expat", "GPL-2.0-or-later OR Artistic-1.0 OR MIT"),
        ("LGPL-2.1, GPL-3", "LGPL-2.1-only AND GPL-3.0-only"),
        ("(MIT OR ISC) AND Zlib", "(MIT OR ISC) AND Zlib"),
        ("MIT/X11", "MIT"),
        ("Apache-2.0 || MIT", "Apache-2.0 OR MIT"),
        ("GPL-3+ with GCC exception", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ("GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2-with-OpenSSL-exception"),
        ("(MIT", "LicenseRef-MIT"),
        ("MIT)", "LicenseRef-MIT"),
        ("and", "LicenseRef-and"),
        ("GPL-2+ or", "LicenseRef-GPL-2-or"),
    ],
)
def test_a_synopsis_becomes_an_expression(synopsis: str, expected: str) -> None:
    assert expression(synopsis, refer) == expected


def test_deep_nesting_and_endless_text_are_names() -> None:
    assert expression("(" * 100_000 + "MIT", refer).startswith("LicenseRef-")
    assert expression("(" * 1500 + "MIT" + ")" * 1500, refer).startswith("LicenseRef-")
    assert expression("(" * 20 + "MIT" + ")" * 20, refer) == "MIT"
    assert expression("word " * 100_000, refer).startswith("LicenseRef-word-word")


@given(st.lists(st.one_of(st.sampled_from(_PARTS), st.text(max_size=12)), max_size=12))
def test_whatever_is_written_is_an_expression_that_parses(parts: list[str]) -> None:
    synopsis = " ".join(parts)
    found = expression(synopsis, refer)
    assert bool(found) == bool(synopsis.strip())
    if found:
        parsed = LICENSING.parse(found)
        for symbol in LICENSING.license_symbols(parsed, unique=True, decompose=True):
            assert symbol.key in LICENSING.known_symbols or re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]+", symbol.key), (
                symbol.key
            )


@given(st.text())
def test_slugs_are_of_the_letters_that_identifiers_have(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9.-]+", slug(name))


def test_what_all_holds_is_said_once() -> None:
    assert all_of(["MIT AND ISC", "MIT", "GPL-2.0-only OR MIT", ""]) == "MIT AND ISC AND (GPL-2.0-only OR MIT)"
    assert all_of(["MIT OR ISC"]) == "MIT OR ISC"
    assert all_of([]) == ""
