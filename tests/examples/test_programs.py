"""Every example whose program ends, started by each container runtime."""

from __future__ import annotations

import json
import ssl
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.built import EXAMPLES, Built
from tests.support.container import Container

pytestmark = [pytest.mark.archive, pytest.mark.runtime]

# What Debian's python3 does not hold either: other systems' modules, and what other debs bring.
OTHER_SYSTEMS = {
    "_ios_support": "Apple's",
    "_msi": "Windows",
    "_overlapped": "Windows",
    "_pyrepl.windows_console": "Windows",
    "_scproxy": "Apple's",
    "_winapi": "Windows",
    "_wmi": "Windows",
    "asyncio.windows_events": "Windows",
    "asyncio.windows_utils": "Windows",
    "encodings.mbcs": "Windows",
    "encodings.oem": "Windows",
    "msilib": "Windows",
    "msvcrt": "Windows",
    "multiprocessing.popen_spawn_win32": "Windows",
    "nt": "Windows",
    "test.libregrtest.win_utils": "Windows",
    "winreg": "Windows",
    "winsound": "Windows",
}
OTHER_DEBS = {
    "_distutils_system_mod": "needs python3-distutils",
    "_gdbm": "is in python3-gdbm",
    "_tkinter": "is in python3-tk",
    "dbm.gnu": "needs python3-gdbm",
    "ensurepip": "is in python3-venv",
    "idlelib": "is in idle",
    "lib2to3": "is in python3-lib2to3",
    "test.support.i18n_helper": "needs libpython3-testsuite",
    "tkinter": "is in python3-tk",
    "turtle": "needs python3-tk",
    "turtledemo": "is in python3-examples",
}
# What a fat image can import and these cannot.
OURS = {"_pyrepl._minimal_curses": "asks ldconfig, a program, where curses is; a stand-in for when there is no _curses"}


def test_every_example_is_listed(built: Built) -> None:
    assert set(EXAMPLES) == {label for label in built.digests if not label.startswith("//extra:")}


@pytest.mark.parametrize(("label", "modules"), [("//extra:python", 680), ("//extra:bookworm_python", 630)])
def test_python_imports_its_standard_library(container: Container, label: str, modules: int) -> None:
    done = container.run(label)
    assert done.status == 0, done.err
    told: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    assert set(told["failed"]) <= set(OTHER_SYSTEMS | OTHER_DEBS | OURS), told["failed"]
    assert told["tried"] - len(told["failed"]) > modules


def test_python_of_debian_12_is_there(container: Container) -> None:
    done = container.run("//bookworm:python", "-c", "import ssl, sys; print(sys.version_info[:2], ssl.OPENSSL_VERSION)")
    assert done.out.startswith("(3, 11) OpenSSL 3."), done.err


def test_java_opens_a_tls_context(container: Container) -> None:
    done = container.run("//java:image")
    assert done.status == 0, done.err
    said, authorities, version = done.out.strip().split(", ")
    assert (said, version) == ("Default context", "java 21")
    assert int(authorities.removesuffix(" authorities")) > 100


def test_node_reads_a_zone_and_verifies_a_chain(container: Container) -> None:
    done = container.run("//node:image")
    assert done.status == 0, done.err
    zone, authorities, chain, version = done.out.strip().split(", ")
    assert zone == "Europe/Berlin 01"
    assert int(authorities.removesuffix(" authorities")) > 100
    assert chain == "chain verified"
    assert version.startswith("node 20.")


def test_programs_linked_with_openssl_run(container: Container) -> None:
    for label, version in (("//extra:base", "OpenSSL 3.5."), ("//extra:bookworm_base", "OpenSSL 3.0.")):
        done = container.run(label, "version", "-a")
        assert done.out.startswith(version), done.err
        assert 'OPENSSLDIR: "/usr/lib/ssl"' in done.out


@pytest.mark.parametrize("label", ["//extra:base", "//extra:bookworm_base"])
def test_programs_linked_with_openssl_trust_the_bundle(container: Container, label: str) -> None:
    """Openssl finds each authority by the hash links of /etc/ssl/certs, where it looks when nothing is said."""
    root = "/etc/ssl/certs/ISRG_Root_X1.pem"
    done = container.run(label, "verify", root)
    assert (done.status, done.out) == (0, f"{root}: OK\n"), done.err
    alone = container.run(label, "verify", "-no-CApath", "-no-CAfile", "-no-CAstore", root)
    assert alone.status != 0


def test_static_programs_know_users_zones_and_services(container: Container) -> None:
    label = "//extra:static"
    assert container.run(label, "id").out.startswith("uid=65532(nonroot) gid=65532(nonroot)")
    assert container.run(label, "id", "root").out.startswith("uid=0(root) gid=0(root)")
    at = container.run(label, "date", "-d", "@0", "+%F %H", options=["-e", "TZ=Asia/Tokyo"])
    assert at.out == "1970-01-01 09\n", at.err


def test_openssl_finds_the_authorities_where_it_looks_for_them(built: Built, tmp_path: Path) -> None:
    root = built.unpack("//python:image", tmp_path / "root")
    assert str((root / "usr/lib/ssl/cert.pem").readlink()) == "/etc/ssl/certs/ca-certificates.crt"
    assert str((root / "usr/lib/ssl/certs").readlink()) == "/etc/ssl/certs"
    assert not (built.unpack("//static:image", tmp_path / "static") / "usr/lib/ssl").exists()


def test_static_holds_authorities_zones_and_users(built: Built, tmp_path: Path) -> None:
    root = built.unpack("//static:image", tmp_path / "root")
    context = ssl.create_default_context(cafile=str(root / "etc/ssl/certs/ca-certificates.crt"))
    now = time.time()
    valid = [each for each in context.get_ca_certs() if ssl.cert_time_to_seconds(str(each["notAfter"])) > now]
    assert len(valid) > 100
    table = (root / "usr/share/zoneinfo/zone1970.tab").read_text().splitlines()
    zones = [line.split("\t")[2] for line in table if not line.startswith("#")]
    assert len(zones) > 300
    offsets = {}
    for zone in zones:
        with (root / "usr/share/zoneinfo" / zone).open("rb") as file:
            offsets[zone] = ZoneInfo.from_file(file).utcoffset(datetime(2024, 1, 1))
    assert None not in offsets.values()
    assert offsets["Asia/Kathmandu"] == timedelta(hours=5, minutes=45)
    users = {line.split(":")[0]: line.split(":")[2:] for line in (root / "etc/passwd").read_text().splitlines()}
    assert users["root"] == ["0", "0", "root", "/root", "/usr/sbin/nologin"]
    assert users["nonroot"] == ["65532", "65532", "nonroot", "/home/nonroot", "/usr/sbin/nologin"]
