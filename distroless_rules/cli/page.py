"""Pages that verbs write: an anatomy in, one HTML file out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distroless_rules.cli.common import note
from distroless_rules.errors import RequestError

if TYPE_CHECKING:
    from distroless_rules.anatomy.anatomy import Anatomy

__all__ = ["write_page"]


def write_page(anatomy: Anatomy, file: Path, title: str, report: Mapping[str, Any] | None = None) -> None:
    """Write the page of an image, and say so.

    Args:
        anatomy: the image's.
        file: where it goes; what is there is replaced.
        title: what the image is called.
        report: of an image that was built here, what the build says of it.

    Raises:
        RequestError: if it cannot be written.
    """
    from distroless_rules.anatomy import page, sheet

    text = page.render(sheet.of(anatomy, title, report))
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise RequestError(f'write "{file}"', error.strerror or str(error)) from error
    note(f"wrote {file}")
