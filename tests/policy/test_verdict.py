"""Findings held to policies: waivers with reasons, levels, budgets; the error of a build; mistakes in policies."""

from __future__ import annotations

from typing import Any

import pytest

from distroless_rules.policy.rules import Policy
from distroless_rules.policy.verdict import Verdict, error
from distroless_rules.policy.violation import Findings
from tests.support.policy import found, verdict_of
from tests.support.workspace import fails

IMAGE = """
deb=dash: 0755 /usr/bin/dash elf
/usr/bin/sh -> dash
0777 /srv/a/
0777 /srv/b/
workdir /nowhere
"""


def held(**given: Any) -> list[str]:
    """Give what counts for more than a note, a line each, with the reason of what is waived."""
    verdict = verdict_of(IMAGE, Policy.parse(given))
    return [
        f"{each.level} {each.violation.check} {each.violation.subject} {each.waived}".rstrip()
        for each in verdict.held
        if each.level != "note"
    ]


ALL = [
    "error shell /usr/bin/dash",
    "error world-writable /srv/a",
    "error world-writable /srv/b",
    "warning workdir workdir",
]


def test_without_waivers_all_of_it_counts() -> None:
    assert held() == ALL
    assert not verdict_of(IMAGE, Policy()).passes


def test_a_check_is_waived_as_a_whole() -> None:
    assert held(waive={"world-writable": "a\n  reason"}) == [
        ALL[0],
        ALL[3],
        "error world-writable /srv/a a reason",
        "error world-writable /srv/b a reason",
    ]


def test_a_check_is_waived_for_some_paths() -> None:
    assert "error world-writable /srv/b" in held(waive={"world-writable:/srv/a": "x"})
    assert "error world-writable /srv/b x" in held(waive={"world-writable:/srv/*": "x"})


def test_everything_is_waived_by_a_star() -> None:
    verdict = verdict_of(IMAGE, Policy.parse({"waive": {"*": "it is only shown"}}))
    assert verdict.passes
    assert verdict.waived == len(verdict.held)


def test_a_waiver_that_waives_nothing_is_noted() -> None:
    verdict = verdict_of(IMAGE, Policy.parse({"waive": {"setuid": "x", "shell": "y"}}))
    idle = [each.violation.subject for each in verdict.held if each.violation.check == "unused-waiver"]
    assert idle == ["waiver setuid"]


def test_levels_are_raised() -> None:
    assert "error workdir workdir" in held(levels={"workdir": "error"})


def test_levels_hold_for_debs_too() -> None:
    deb = "deb=x: 0755 /usr/bin/x elf no-pie"
    assert verdict_of(deb, Policy()).passes
    assert not verdict_of(deb, Policy.parse({"levels": {"pie": "error"}})).passes


@pytest.mark.parametrize(
    ("given", "check"),
    [({"max_files": 3}, "file-budget"), ({"max_size": "1 kB"}, "size-budget"), ({"max_size": "0.5KiB"}, "size-budget")],
)
def test_budgets(given: dict[str, Any], check: str) -> None:
    assert any(f"error {check} image" in line for line in held(**given))


@pytest.mark.parametrize("given", [{"max_files": 9999}, {"max_size": "1 GB"}, {"max_size": "1TiB"}, {"max_size": ""}])
def test_budgets_that_suffice(given: dict[str, Any]) -> None:
    assert held(**given) == ALL


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"waive": {"shel": "x"}}, 'cannot waive "shel": there is no check "shel"; did you mean "shell"?'),
        ({"waive": {"shell": " \n"}}, 'cannot waive "shell": it has no reason; write waive = {"shell": "<why>"}'),
        (
            {"waive": {"shell:": "x"}},
            'cannot waive "shell:": nothing follows its colon; write "shell:/path/*" or "shell"',
        ),
        (
            {"levels": {"shell": "note"}},
            'cannot set the level of "shell": "note" is not one that it can have; expected error; what is to count for '
            "less is waived",
        ),
        (
            {"levels": {"shels": "error"}},
            'cannot set the level of "shels": there is no check "shels"; did you mean "shell"?',
        ),
        ({"max_size": "big"}, 'cannot set max_size: "big" is no size; expected "200 MB", "1.5 GB" or "64 MiB"'),
    ],
)
def test_mistakes_in_a_policy(given: dict[str, Any], message: str) -> None:
    assert fails(lambda: Policy.parse(given)) == message


def test_the_error_of_a_build() -> None:
    assert str(error(verdict_of(IMAGE, Policy()))) == (
        "cannot let //:image pass: 3 violations of the default policy\n"
        '  shell: /usr/bin/dash (deb "dash") is a shell\n'
        "    leave out the deb or file that brings it; start the program itself in entrypoint\n"
        "  world-writable: /srv/a (//:app) may be written to by everybody (mode 0777)\n"
        "  world-writable: /srv/b (//:app) may be written to by everybody (mode 0777)\n"
        "    give it a narrower mode; mend them, or give the image "
        'waive = {"shell": "<why>", "world-writable": "<why>"}; '
        "`distroless check //:image` shows all"
    )


def test_a_long_error_is_cut() -> None:
    many = "".join(f"0777 /srv/{number}/\n" for number in range(99))
    message = str(error(verdict_of(many, Policy())))
    assert "world-writable: and 95 more" in message
    assert message.count("\n") < 10


def test_findings_and_verdicts_come_back_as_they_were() -> None:
    findings = found(IMAGE)
    assert Findings.load(findings.dump()) == findings
    verdict = verdict_of(IMAGE, Policy.parse({"waive": {"shell": "x"}}))
    assert [each.waived for each in Verdict.load(verdict.dump()).held] == [each.waived for each in verdict.held]
    assert Verdict.load(verdict.dump()).dump() == verdict.dump()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"violations": [{}], "files": 0, "bytes": 0}'])
def test_what_is_not_ours_is_refused(data: bytes) -> None:
    assert "not ours" in fails(lambda: Findings.load(data))
    assert "not ours" in fails(lambda: Verdict.load(data))
