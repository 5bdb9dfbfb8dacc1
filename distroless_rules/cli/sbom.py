"""``distroless sbom``."""

from __future__ import annotations

from pathlib import Path

import click

from distroless_rules.cli.common import Flags, build_options, open_here
from distroless_rules.errors import StorageError

__all__ = ["command"]

_FORMATS = ("spdx-json", "cyclonedx-json")


@click.command()
@click.argument("target")
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default=_FORMATS[0],
    show_default=True,
    help="SPDX 2.3 or CycloneDX 1.6.",
)
@click.option("--output", default="", metavar="FILE", help="Write the document there, not to standard output.")
@build_options
def command(flags: Flags, target: str, format_: str, output: str) -> None:
    """Account for everything in an image: each file with its hashes, its package, and the package's licences.

    TARGET is a label, which is built first, or an image that is there, whoever made it: the folder of an OCI layout, or
    an archive of docker save or of skopeo; oci:FOLDER:TAG names one of several.
    """
    if _is_there(target):
        from distroless_rules.accounting import of_image

        document = of_image(target, flags.platform, format_)
    else:
        document = _built(flags, target, format_)
    if not output:
        click.echo(document, nl=False)
        return
    try:
        Path(output).write_bytes(document)
    except OSError as error:
        raise StorageError(f'write "{output}"', error.strerror or str(error)) from error


def _is_there(target: str) -> bool:
    """Tell an image's name from a label: labels are no files, and begin with no single slash."""
    if target.startswith(("oci:", "oci-archive:", "docker-archive:")):
        return True
    path = Path(target)
    return (path / "index.json").is_file() or path.is_file() or (target.startswith("/") and target[:2] != "//")


def _built(flags: Flags, target: str, format_: str) -> bytes:
    from distroless_rules.accounting import of_target
    from distroless_rules.cli.progress import Progress

    with Progress() as progress:
        project = open_here(flags, progress)
        request = flags.request_one(project, target, f'account for "{target}"')
        return of_target(project, request, flags.build, progress.listen, format_)
