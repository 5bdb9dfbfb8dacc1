"""The spine of ``analyze``: an image that others made in, what it consists of out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from distroless_rules.anatomy import anatomy
from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import open_image
from distroless_rules.values.platform import Platform

__all__ = ["analyzed"]


@contextmanager
def analyzed(name: str, platform: Platform | None = None) -> Iterator[Anatomy]:
    """Analyze an image; its files can be read within the block.

    Args:
        name: a layout's folder or an archive (``oci.opened``).
        platform: which image to take where there are several.

    Raises:
        RequestError: if there is no such image.
        FormatError: if it is damaged or hostile, or made of packages that are no debs.
        StorageError: if there is no room for its layers.
    """
    with open_image(name, platform) as image, Layers.read(image) as layers:
        yield anatomy.of(image, layers)
