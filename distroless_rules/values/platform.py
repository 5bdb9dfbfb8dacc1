"""Platforms as OCI writes them (``linux/amd64``) and Debian's names for their architectures.

Source: OCI image index specification 1.1 "platform object"; ``dpkg-architecture -L``.
"""

from __future__ import annotations

from dataclasses import dataclass

from distroless_rules.errors import ConfigError, did_you_mean

__all__ = ["HOST", "Platform"]

_DEB = {
    "linux/amd64": "amd64",
    "linux/arm64": "arm64",
    "linux/arm/v7": "armhf",
    "linux/arm/v6": "armel",
    "linux/386": "i386",
    "linux/ppc64le": "ppc64el",
    "linux/riscv64": "riscv64",
    "linux/s390x": "s390x",
    "linux/loong64": "loong64",
}
_GNU = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armhf": "arm-linux-gnueabihf",
    "armel": "arm-linux-gnueabi",
    "i386": "i386-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "loong64": "loongarch64-linux-gnu",
}


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and processor, ``linux/arm/v7`` for example.

    Attributes:
        os: always ``linux`` today.
        architecture: GOARCH, as OCI uses it.
        variant: ``v7`` and the like, or ``""``.
    """

    os: str
    architecture: str
    variant: str = ""

    @staticmethod
    def parse(text: str) -> Platform:
        """Read ``linux/amd64``, or Debian's ``amd64``.

        Raises:
            ConfigError: if the platform is not known.
        """
        aliases = {deb: oci for oci, deb in _DEB.items()} | {"linux/arm64/v8": "linux/arm64"}
        name = aliases.get(text, text)
        if name not in _DEB:
            raise ConfigError(
                f'use platform "{text}"', "it is not known", hint=did_you_mean(text, [*_DEB, *_DEB.values()])
            )
        return Platform(*name.split("/"))

    @staticmethod
    def of_deb(architecture: str) -> Platform:
        """Give the platform of a Debian architecture (``amd64``)."""
        return Platform.parse(architecture)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def deb(self) -> str:
        """Debian's name for the architecture: ``amd64``, ``armhf``."""
        return _DEB[str(self)]

    @property
    def multiarch(self) -> str:
        """The multiarch tuple that names library folders: ``x86_64-linux-gnu``."""
        return _GNU[self.deb]


def _host() -> Platform:
    import os

    machine = os.uname().machine
    names = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "i686": "386", "armv7l": "arm/v7"}
    return Platform(*f"linux/{names.get(machine, machine)}".split("/"))


HOST = _host()
