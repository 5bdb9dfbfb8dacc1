"""``distroless inspect``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distroless_rules.cli.common import build_options, note, open_here, request
from distroless_rules.errors import RequestError

if TYPE_CHECKING:
    from distroless_rules.oci.layout import Image

__all__ = ["command"]


@click.command()
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON.")
@click.option("--files", is_flag=True, help="List every path with its mode, owner and size, as tar would.")
@build_options
def command(
    target: str,
    as_json: bool,
    files: bool,
    platform: str,
    define: tuple[str, ...],
    jobs: int,
    keep_going: bool,
    locked: bool,
    cache_dir: str,
) -> None:
    """Show what is in an image: TARGET is a label, which is built first, or the folder of an OCI layout."""
    from distroless_rules import build as spine
    from distroless_rules.cli.inspect_text import document, listing, shown
    from distroless_rules.cli.progress import Progress
    from distroless_rules.oci import layout

    folder = Path(target)
    if (folder / "index.json").is_file():
        label, report = target, _report(folder)
    else:
        with Progress() as progress:
            project = open_here(cache_dir, progress.status)
            wanted = request(project, (target,), platform, define)
            built = spine.build(project, wanted, spine.Options(jobs, keep_going, locked), progress.listen)
        for message in built.messages:
            note(f"DEBUG: {message}")
        found = [result for result in built.results if result.digest]
        if not found:
            raise RequestError(f'inspect "{target}"', "it is not an image")
        label, folder = found[0].label, project.outputs / found[0].paths[0]
        report = _report(folder)
    images: list[Image] = list(layout.images(folder))
    if as_json:
        click.echo(json.dumps([document(label, image, report) for image in images], indent=2, sort_keys=True))
        return
    for image in images:
        for line in listing(image) if files else shown(label, image, report):
            click.echo(line)


def _report(folder: Path) -> dict[str, Any]:
    """Give what the build knows of an image besides the image itself; nothing for one that was made elsewhere."""
    path = folder.with_name(f"{folder.name}.report.json")
    if not path.is_file():
        return {}
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read
