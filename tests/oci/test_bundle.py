"""What is started in a container: who, where, with what; and what a runtime is told of it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import RequestError
from distroless_rules.oci import bundle as bundles
from distroless_rules.oci import layout, runtime_spec
from distroless_rules.oci.bundle import Bundle, Mount, Options
from distroless_rules.oci.config import Start
from distroless_rules.oci.runtime_spec import Identity
from tests.support.image import Member, directory, file, layout_of, symlink, tar

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
app:x:1000:1001:,,,:/home/app:/bin/sh
broken:line
large:x:4294967295:0::/:
"""
GROUP = b"root:x:0:\napp:x:1001:\nssl:x:50:app,other\nlog:x:40:app\n"
BASE = [
    directory("bin"),
    file("bin/tool", b"x", 0o755),
    file("bin/data", b"x", 0o644),
    symlink("bin/link", "/bin/tool"),
    directory("etc"),
    file("etc/group", GROUP),
    file("etc/passwd", PASSWD),
]
START = Start(entrypoint=("/bin/tool",), cmd=("-x",), env={"A": "1"})


def made(folder: Path, start: Start = START, *more: Member, **options: Any) -> Bundle:
    layout_of(folder / "image", [tar(*BASE, *more)], start)
    (folder / "bundle").mkdir()
    return bundles.prepare(layout.read(folder / "image"), folder / "bundle", Options(**options))


def spec(bundle: Bundle, identity: Identity | None = None) -> dict[str, Any]:
    runtime_spec.write(bundle, identity)
    value: dict[str, Any] = json.loads((bundle.folder / "config.json").read_text())
    return value


def test_arguments_take_the_place_of_cmd(tmp_path: Path) -> None:
    assert made(tmp_path).process.arguments == ("/bin/tool", "-x")


def test_arguments_given_take_the_place_of_cmd(tmp_path: Path) -> None:
    assert made(tmp_path, arguments=("-y", "z")).process.arguments == ("/bin/tool", "-y", "z")


def test_environment_is_the_images_and_what_is_given(tmp_path: Path) -> None:
    process = made(tmp_path, Start(("tool",), env={"A": "1", "B": "2"}, user="app"), env={"B": "3"}).process
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert process.env == {"PATH": path, "HOME": "/home/app", "A": "1", "B": "3"}


@pytest.mark.parametrize(
    ("user", "uid", "gid", "groups"),
    [
        ("", 0, 0, ()),
        ("app", 1000, 1001, (40, 50)),
        ("1000", 1000, 1001, (40, 50)),
        ("app:ssl", 1000, 50, ()),
        ("app:7", 1000, 7, ()),
        ("65532", 65532, 0, ()),
        ("65532:65532", 65532, 65532, ()),
        (":50", 0, 50, ()),
    ],
)
def test_users_are_those_of_the_image(tmp_path: Path, user: str, uid: int, gid: int, groups: tuple[int, ...]) -> None:
    process = made(tmp_path, Start(("tool",), user=user)).process
    assert (process.uid, process.gid, process.groups) == (uid, gid, groups)


@pytest.mark.parametrize("user", ["nobody", "app:nogroup", "broken", "large", "4294967295", "app:", "app:99999999999"])
def test_users_that_the_image_lacks_are_refused(tmp_path: Path, user: str) -> None:
    with pytest.raises(RequestError, match=f'cannot run as "{user}": '):
        made(tmp_path, user=user)


@pytest.mark.parametrize("program", ["/bin/tool", "/bin/link", "tool", "link", "../bin/tool", "/../bin/../bin/tool"])
def test_program_is_found_as_the_kernel_would(tmp_path: Path, program: str) -> None:
    assert made(tmp_path, Start((program,), workdir="/srv")).process.arguments == (program,)


@pytest.mark.parametrize("program", ["/tool", "nothing", "/bin", "/bin/data", "data", "./tool"])
def test_program_that_is_not_there_is_refused(tmp_path: Path, program: str) -> None:
    with pytest.raises(RequestError, match=re.escape(f'cannot start "{program}"')):
        made(tmp_path, Start((program,), workdir="/srv"))


def test_program_may_come_from_a_volume(tmp_path: Path) -> None:
    mount = Mount(str(tmp_path), "/opt")
    assert made(tmp_path, Start(("/opt/tool",)), volumes=(mount,)).process.arguments == ("/opt/tool",)


def test_working_folder_is_made(tmp_path: Path) -> None:
    bundle = made(tmp_path, Start(("tool",), workdir="/srv/data"))
    assert bundle.process.folder == "/srv/data"
    assert stat.S_IMODE((bundle.folder / "rootfs/srv/data").stat().st_mode) == 0o755


def test_volumes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert bundles.volume("data:/x") == Mount(f"{tmp_path}/data", "/x")
    assert bundles.volume(f"{tmp_path}:/x/./y/:ro") == Mount(str(tmp_path), "/x/y", read_only=True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("data", "it is not well formed"),
        (":/x", "it is not well formed"),
        ("/tmp:x", "it is not well formed"),
        ("/tmp:/x:rx", "it is not well formed"),
        ("/tmp:/", "it would hide the whole image"),
        ("/tmp:/a/../..", 'climbs out with ".."'),
        ("/no/such:/x", 'there is no "/no/such"'),
    ],
)
def test_malformed_volumes_are_refused(text: str, cause: str) -> None:
    with pytest.raises(RequestError, match=re.escape(cause)):
        bundles.volume(text)


def test_runtime_is_told_what_docker_would_do(tmp_path: Path) -> None:
    told = spec(made(tmp_path, Start(("tool",), user="app")))
    assert told["process"]["user"] == {"uid": 1000, "gid": 1001, "additionalGids": [40, 50]}
    assert told["process"]["capabilities"]["effective"] == []
    assert "CAP_CHOWN" in told["process"]["capabilities"]["bounding"]
    assert "CAP_SYS_ADMIN" not in told["process"]["capabilities"]["bounding"]
    assert told["root"] == {"path": "rootfs", "readonly": False}
    assert [row["type"] for row in told["linux"]["namespaces"]] == ["mount", "pid", "ipc"]
    assert [row["destination"] for row in told["mounts"]] == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
        "/sys",
        "/etc/hosts",
        "/etc/resolv.conf",
    ]


def test_only_user_of_a_namespace_is_the_programs(tmp_path: Path) -> None:
    told = spec(made(tmp_path, Start(("tool",), user="app")), Identity(1000, 1001, 500, 501))
    assert told["process"]["user"] == {"uid": 1000, "gid": 1001}
    assert told["linux"]["uidMappings"] == [{"containerID": 1000, "hostID": 500, "size": 1}]
    assert told["linux"]["gidMappings"] == [{"containerID": 1001, "hostID": 501, "size": 1}]


def test_container_without_network_knows_itself_alone(tmp_path: Path) -> None:
    bundle = made(tmp_path, network="none")
    told = spec(bundle)
    assert {"network", "uts"} <= {row["type"] for row in told["linux"]["namespaces"]}
    assert (bundle.folder / "hosts").read_text() == "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
    assert "/etc/resolv.conf" not in [row["destination"] for row in told["mounts"]]


def test_volumes_come_last_and_hide_what_is_usual(tmp_path: Path) -> None:
    volumes = (Mount("/tmp", "/z"), Mount("/etc/hosts", "/etc/hosts", read_only=True))
    told = spec(made(tmp_path, volumes=volumes, read_only=True))
    assert told["root"]["readonly"] is True
    assert told["mounts"][-2:] == [
        {"destination": "/etc/hosts", "type": "bind", "source": "/etc/hosts", "options": ["rbind", "rprivate", "ro"]},
        {"destination": "/z", "type": "bind", "source": "/tmp", "options": ["rbind", "rprivate"]},
    ]
    assert [row["destination"] for row in told["mounts"]].count("/etc/hosts") == 1


def test_images_volumes_stay_writable(tmp_path: Path) -> None:
    start = Start(("tool",), volumes=("/var/lib/app", "/taken"))
    bundle = made(tmp_path, start, volumes=(Mount("/tmp", "/taken"),), read_only=True)
    assert bundle.mounts == (
        Mount("/tmp", "/taken"),
        Mount(str(bundle.folder / "rootfs/var/lib/app"), "/var/lib/app"),
    )
    assert os.path.isdir(bundle.mounts[1].source)
