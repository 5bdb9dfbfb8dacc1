"""``distroless analyze``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import note
from distroless_rules.cli.page import write_page

if TYPE_CHECKING:
    from distroless_rules.anatomy.anatomy import Anatomy

__all__ = ["command"]


@click.command()
@click.argument("image")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found as JSON.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page of it.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write a workspace that builds the distroless equivalent.",
)
@click.option("--platform", default="", metavar="OS/ARCH", help="Which image to take where there are several.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where in this program an error arose.")
def command(image: str, as_json: bool, html: Path | None, output: Path | None, platform: str) -> None:
    """Show what an image that was made the usual way consists of, and what of it would stay.

    IMAGE is the folder of an OCI layout (FOLDER, FOLDER:TAG) or an archive of docker save, podman save or skopeo.
    """
    from distroless_rules.analyzing import analyzed
    from distroless_rules.values.platform import Platform

    with analyzed(image, Platform.parse(platform) if platform else None) as anatomy:
        if output is not None:
            _write(anatomy, output)
        if html is not None:
            write_page(anatomy, html, Path(image).name)
        if as_json:
            from distroless_rules.anatomy.report import document

            click.echo(json.dumps(document(anatomy), indent=2, sort_keys=True))
            return
        from distroless_rules.cli.analyze_text import shown

        for line in shown(anatomy):
            click.echo(line)


def _write(anatomy: Anatomy, folder: Path) -> None:
    from distroless_rules.anatomy import declared, workspace

    found = declared.declare(anatomy)
    workspace.write(workspace.render(anatomy, found), folder, anatomy)
    for text in workspace.notes(anatomy, found):
        note(f"note: {text}")
    note(f"wrote a workspace to {folder}; now try: cd {folder} && distroless build //:image")
