"""``distroless inspect``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from distroless_rules.cli.common import Flags, build_here, build_options, images
from distroless_rules.errors import RequestError
from distroless_rules.values.size import size_text

__all__ = ["command"]


@click.command()
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON.")
@click.option("--files", is_flag=True, help="List every path with its mode, owner and size, as tar would.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page of it.")
@click.option("--unreached", is_flag=True, help="List the files of debs that nothing in the image leads to.")
@build_options
def command(flags: Flags, target: str, as_json: bool, files: bool, html: Path | None, unreached: bool) -> None:
    """Show what is in an image: TARGET is a label, which is built first, or the folder of an OCI layout."""
    if unreached:
        _unreached(flags, target, as_json)
        return
    from distroless_rules.cli.inspect_text import document, listing, shown
    from distroless_rules.oci import layout

    if (Path(target) / "index.json").is_file():
        layouts = [(target, Path(target))]
    elif target.startswith("/") and not target.startswith("//"):
        raise RequestError(f'inspect "{target}"', "it is not the folder of an OCI layout: it has no index.json")
    else:
        layouts = images(*build_here(flags, [target]), f'inspect "{target}"')
    if html is not None:
        _page(layouts, html, flags.platform)
        return
    found = [(label, image, _report(folder)) for label, folder in layouts for image in layout.images(folder)]
    if as_json:
        click.echo(json.dumps([document(*each) for each in found], indent=2, sort_keys=True))
        return
    for number, (label, image, report) in enumerate(found):
        if number:
            click.echo()
        for line in listing(image) if files else shown(label, image, report):
            click.echo(line)


def _page(layouts: list[tuple[str, Path]], file: Path, platform: str) -> None:
    from distroless_rules.analyzing import analyzed
    from distroless_rules.cli.page import write_page
    from distroless_rules.values.platform import Platform

    if len(layouts) != 1:
        raise RequestError("write a page", f"it is of one image, and there are {len(layouts)}")
    [(label, folder)] = layouts
    with analyzed(str(folder), Platform.parse(platform) if platform.startswith("linux/") else None) as anatomy:
        write_page(anatomy, file, label, _report(folder) or None)


def _unreached(flags: Flags, target: str, as_json: bool) -> None:
    from distroless_rules.cli.common import counted, open_here
    from distroless_rules.cli.progress import Progress
    from distroless_rules.unreached import unreached

    with Progress() as progress:
        project = open_here(flags, progress)
        request = flags.request_one(project, target, f'inspect "{target}"')
        found = unreached(project, request, flags.build, progress.listen)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        click.echo(f"{size_text(each.size):>10}  {each.deb:<24} {each.path}")
    total = size_text(sum(each.size for each in found))
    files = f"{counted(len(found), 'file')} of debs, {total}"
    text = f'{files}, that nothing leads to; closure = "files" leaves them out' if found else "everything is reached"
    click.echo(text, err=True)


def _report(folder: Path) -> dict[str, Any]:
    """Give what the build knows of an image besides the image itself; nothing for one that was made elsewhere."""
    read: dict[str, Any] = _beside(folder, "report")
    verdict = _beside(folder, "policy")
    return {**read, "policy": {key: verdict[key] for key in ("policy", "passes", "summary")}} if verdict else read


def _beside(folder: Path, what: str) -> Any:
    path = folder.with_name(f"{folder.name}.{what}.json")
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
