"""The Python that wheels are for: its version, the C library's and the processor in, markers and tags out.

Sources: "Dependency specifiers" (environment markers) and "Platform compatibility tags" of the PyPA specifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distroless_rules.errors import ConfigError
from distroless_rules.values.platform import Platform

__all__ = ["Target"]

_MACHINES = {
    "linux/386": "i686",
    "linux/amd64": "x86_64",
    "linux/arm/v7": "armv7l",
    "linux/arm64": "aarch64",
    "linux/loong64": "loongarch64",
    "linux/ppc64le": "ppc64le",
    "linux/riscv64": "riscv64",
    "linux/s390x": "s390x",
}
# Other names of tags, PEP 600: "Legacy manylinux tags".
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = 5  # of the C libraries that manylinux knows, 2.5


@dataclass(frozen=True, slots=True)
class Target:
    """A CPython on Linux.

    Attributes:
        python: its full version, ``3.13.5``.
        libc: the version of the GNU C library, ``2.41``.
        platform: ``linux/amd64``.
    """

    python: str
    libc: str
    platform: str

    @property
    def version(self) -> str:
        """The version as folders and tags have it: ``3.13``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def machine(self) -> str:
        """The processor as ``uname -m`` names it.

        Raises:
            ConfigError: if no wheel is made for it.
        """
        name = str(Platform.parse(self.platform))
        if name not in _MACHINES:
            raise ConfigError(f"find wheels for {name}", "Python has no tag for it")
        return _MACHINES[name]

    def markers(self) -> dict[str, str]:
        """Give the environment in which markers are evaluated."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.version,
            "sys_platform": "linux",
        }

    def platforms(self) -> Iterator[str]:
        """Give the platform tags that fit, the best first."""
        newest = int(self.libc.split(".")[1])
        for minor in range(newest, _OLDEST - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _LEGACY and (minor == 17 or self.machine in ("x86_64", "i686")):
                yield f"{_LEGACY[minor]}_{self.machine}"
        yield f"linux_{self.machine}"
