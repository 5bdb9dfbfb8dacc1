"""``distroless check``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, build_options, counted, note, open_here

if TYPE_CHECKING:
    from distroless_rules.checking import Checked
    from distroless_rules.policy.rules import Policy

__all__ = ["command"]

_SHOWN = 20  # findings of one check in the table


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--policy", default="", metavar="LABEL", help="Hold images to this image_policy, and not to their own.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    help="How findings are printed; sarif is what code-scanning services read.",
)
@click.option("--all", "everything", is_flag=True, help="Show notes, and what is waived, in the table too.")
@build_options
def command(flags: Flags, targets: tuple[str, ...], policy: str, form: str, everything: bool) -> int:
    """Hold images to the hardening policy; the exit status is 1 if one does not pass.

    TARGETS are labels and patterns of images, or paths: folders of OCI layouts, files of `docker save` or oci-archive.
    docs/policy.md describes each check.
    """
    from distroless_rules.policy import sarif

    checked = _checked(flags, targets, policy)
    if form == "json":
        click.echo(json.dumps([each.verdict.document() for each in checked], indent=2))
    elif form == "sarif":
        click.echo(sarif.dump((each.verdict, each.place) for each in checked).decode(), nl=False)
    else:
        for number, each in enumerate(checked):
            for line in _lines(each, everything):
                click.echo(f"\n{line}" if number and line.startswith(each.verdict.image) else line)
    for each in checked:
        if form != "table":
            note(_summary(each))
    return 0 if all(each.verdict.passes for each in checked) else 1


def _checked(flags: Flags, targets: tuple[str, ...], label: str) -> list[Checked]:
    from distroless_rules.checking import check_image, check_targets, policy_of
    from distroless_rules.cli.progress import Progress
    from distroless_rules.policy.rules import Policy

    names = [text for text in targets if _is_image(text)]
    patterns = [text for text in targets if text not in names]
    checked = []
    policy: Policy | None = None
    if patterns or label:
        with Progress() as progress:
            project = open_here(flags, progress)
            request = flags.request(project, patterns)
            policy = policy_of(project, request, flags.build, label) if label else None
            if patterns:
                checked += check_targets(project, request, flags.build, policy, progress.listen)
    return checked + [check_image(name, policy or Policy(), flags.platform) for name in names]


def _is_image(text: str) -> bool:
    """Tell whether an argument names an image that lies somewhere, and no target."""
    if text.startswith(("//", ":", "@", "-")):
        return False
    return (
        text.startswith(("/", "oci:", "oci-archive:", "docker-archive:", "docker:"))
        or Path(text).is_file()
        or _is_layout(text)
    )


def _is_layout(text: str) -> bool:
    return (Path(text.partition("@")[0].partition(":")[0]) / "index.json").is_file()


def _lines(checked: Checked, everything: bool) -> Iterator[str]:
    """Write a table of what was found, what counts most first."""
    verdict = checked.verdict
    yield _summary(checked)
    shown = [each for each in verdict.held if everything or (each.level != "note" and not each.waived)]
    width = max((len(each.violation.check) for each in shown), default=0)
    counts: dict[str, int] = {}
    for each in shown:
        violation = each.violation
        counts[violation.check] = counts.get(violation.check, 0) + 1
        if counts[violation.check] > _SHOWN and not everything:
            continue
        line = f":{violation.line}" if violation.line else ""
        owner = f"  [{violation.owner}]" if violation.owner and violation.kind != "image" else ""
        waived = f"  waived: {each.waived}" if each.waived else ""
        told = f"{violation.subject}{line} {violation.message}{owner}{waived}"
        yield f"  {each.level:<7}  {violation.check:<{width}}  {told}"
    for check, count in counts.items():
        if count > _SHOWN and not everything:
            yield f"  and {count - _SHOWN} more of {check}; --all shows them"


def _summary(checked: Checked) -> str:
    verdict = checked.verdict
    parts = [counted(verdict.count(level), level) for level in ("error", "warning", "note")]
    word = "passes" if verdict.passes else "does not pass"
    return f"{verdict.image} {word} {verdict.stated}: {', '.join(parts)}, {verdict.waived} waived"
