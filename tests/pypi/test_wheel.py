"""Wheels installed: where each file goes, what is refused, and that the same wheels give the same bytes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.pypi.wheel import install


def wheel(folder: Path, name: str, files: dict[str, str], *, year: int = 2020) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as made:
        for file, text in files.items():
            info = zipfile.ZipInfo(file, (year, 1, 1, 0, 0, 0))
            info.external_attr = (0o755 if text.startswith("#!") else 0o640) << 16
            made.writestr(info, text)
    return path


def installed(*wheels: Path) -> bytes:
    written = io.BytesIO()
    install(wheels, written.write)
    return written.getvalue()


def listing(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [f"{member.mode:o} {member.name}" for member in tar]


def test_every_file_has_its_place(tmp_path: Path) -> None:
    one = wheel(tmp_path, "a-1.whl", {
        "a/__init__.py": "", "a/x.so": "x", "a-1.data/scripts/a": "#!python\n", "a-1.data/purelib/b.py": "",
        "a-1.data/data/share/a.txt": "t", "a-1.dist-info/RECORD": "",
    })  # fmt: skip
    other = wheel(tmp_path, "c-1.whl", {"a/c.py": "", "b.py": ""})
    assert listing(installed(one, other)) == [
        "755 .", "755 a", "755 a-1.dist-info", "644 a-1.dist-info/RECORD", "644 a/__init__.py", "644 a/c.py",
        "644 a/x.so", "644 b.py", "755 bin", "755 bin/a", "755 share", "644 share/a.txt",
    ]  # fmt: skip


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    files = {"b.py": "1", "a.py": "2"}
    one = installed(wheel(tmp_path, "a.whl", files, year=1999))
    assert one == installed(wheel(tmp_path, "b.whl", dict(reversed(files.items())), year=2026))


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"../x": ""}, "a file in it is called '../x'"),
        ({"/x": ""}, "a file in it is called '/x'"),
        ({"a/./x": ""}, "a file in it is called 'a/./x'"),
        ({"a.data/scripts/../../x": ""}, "a file in it is called 'a.data/scripts/../../x'"),
        ({"a.data/other/x": ""}, 'its "a.data/other/x" belongs nowhere'),
        ({"x": "", "x/y": ""}, '"x" is a file in a.whl and a folder elsewhere'),
        ({"x": "", "a.data/purelib/x": ""}, '"x" is in it twice'),
    ],
)
def test_what_is_refused(tmp_path: Path, files: dict[str, str], error: str) -> None:
    with pytest.raises(FormatError, match="cannot") as caught:
        installed(wheel(tmp_path, "a.whl", files))
    assert error in str(caught.value)


def test_wheels_that_differ_at_one_place(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        installed(wheel(tmp_path, "a.whl", {"x.py": "1"}), wheel(tmp_path, "b.whl", {"x.py": "2"}))
    assert str(caught.value) == 'cannot install wheels: a.whl and b.whl both have "x.py", and it is not the same'


@given(st.data())
def test_damaged_wheels_are_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = wheel(tmp_path_factory.mktemp("w"), "a.whl", {"a.py": "text" * 9, "b/c.py": "more"})
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(FormatError):
        installed(path)
