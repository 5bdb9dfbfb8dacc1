"""``docs/policy.md``: its table is the table of the code."""

from __future__ import annotations

from pathlib import Path

from distroless_rules.policy.check import CHECKS

PAGE = Path(__file__).parents[2] / "docs/policy.md"


def test_the_table_is_that_of_the_code() -> None:
    rows = PAGE.read_text("utf-8").partition("<!-- checks -->\n")[2].partition("<!-- end -->")[0].splitlines()[2:]
    expected = []
    for check in CHECKS.values():
        less = "".join(
            f", {level} in {kind}" for kind, level in (("debs", check.of_debs), ("trees", check.of_trees)) if level
        )
        expected.append(f"| {check.id} | {check.level}{less} | {check.what} | {check.why} | {check.advice} |")
    assert rows == expected
