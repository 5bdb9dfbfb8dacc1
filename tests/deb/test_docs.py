"""The pages that list tables of the code: docs/effects.md and docs/cuts.md hold what the tables say.

``python -m tests.deb.test_docs`` writes the tables into the pages anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.deb.cuts import CUTS
from distroless_rules.deb.effects import scripts_known
from distroless_rules.deb.effects.accounts import FIXED_IDS
from distroless_rules.deb.effects.registry import EFFECTS
from distroless_rules.deb.effects.script_commands import HARMLESS, MODELLED
from distroless_rules.deb.prune import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _effects() -> Iterator[str]:
    yield "| effect | what it does |"
    yield "|---|---|"
    yield from (f"| {effect.name} | {effect.sentence} |" for effect in EFFECTS)


def _modelled() -> Iterator[str]:
    yield ", ".join(f"`{name}`" for name in sorted(MODELLED)) + "."


def _harmless() -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for name, reason in HARMLESS.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    yield "| because it | commands |"
    yield "|---|---|"
    yield from (f"| {reason} | {' '.join(sorted(names))} |" for reason, names in reasons.items())


def _known() -> Iterator[str]:
    yield "| deb | what its scripts do |"
    yield "|---|---|"
    yield from (f"| {name} | {reason} |" for name, reason in sorted(scripts_known.KNOWN.items()))
    patterns = scripts_known.PATTERNS.items()
    yield from (f"| `{pattern.replace('|', chr(92) + '|')}` | {reason} |" for pattern, reason in patterns)


def _numbers() -> Iterator[str]:
    yield "| name | number |"
    yield "|---|---|"
    yield from (f"| {name} | {number} |" for name, number in FIXED_IDS.items())


def _cuts() -> Iterator[str]:
    yield "| deb | dependency | why nothing misses it |"
    yield "|---|---|---|"
    for row in CUTS:
        deb = "any" if row.deb == "*" else f"`{row.deb}`"
        yield f"| {deb} | `{row.dependency}` | {row.reason} |"


def _pruned() -> Iterator[str]:
    yield "| rule | what is dropped and why |"
    yield "|---|---|"
    yield from (f"| {rule.name} | {rule.reason} |" for rule in RULES)


TABLES = {
    "effects.md": {
        "effects": _effects,
        "modelled": _modelled,
        "harmless": _harmless,
        "known": _known,
        "numbers": _numbers,
    },
    "cuts.md": {"cuts": _cuts, "pruned": _pruned},
}


def _current(page: str) -> str:
    """Give a page with its tables as the code has them."""
    text = (DOCS / page).read_text("utf-8")
    for name, lines in TABLES[page].items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        assert mark.search(text), f"docs/{page} has no place for {name}"
        table = "\n".join(lines())
        text = mark.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)  # type: ignore[misc]
    return text


@pytest.mark.parametrize("page", TABLES)
def test_pages_are_current(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == _current(page)


@pytest.mark.parametrize("row", CUTS, ids=lambda row: f"{row.deb}-{row.dependency}")
def test_every_cut_has_a_reason_of_its_own(row: object) -> None:
    assert len(row.reason.split()) >= 3  # type: ignore[attr-defined]
    assert sum((other.deb, other.dependency) == (row.deb, row.dependency) for other in CUTS) == 1  # type: ignore[attr-defined]


if __name__ == "__main__":
    for each in TABLES:
        (DOCS / each).write_text(_current(each), "utf-8")
