"""Requirements files: what pip is told of them, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import DistrolessError, FormatError
from distroless_rules.pypi.requirements import check, read
from distroless_rules.pypi.target import Target

A, B = "a" * 64, "b" * 64
TARGET = Target("3.13.5", "2.41", "linux/arm64")


def lines(text: str, target: Target = TARGET) -> list[str]:
    return [line.text for line in read(text, "req.txt", target)]


def test_what_pip_compile_and_uv_write() -> None:
    text = f"""
# comment
--index-url https://index.example/simple
--only-binary :all:
Flask==3.0.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via -r requirements.in
jinja2[i18n]==3.1 ; python_version >= "3.9" --hash=sha256:{A}
tomli==2.0 ; python_version < "3.11" \\
    --hash=sha256:{A}
pywin32==306 ; sys_platform == 'win32' --hash=sha256:{A}
fast==1 ; platform_machine == 'aarch64' --hash=sha256:{B} # yes
"""
    assert lines(text) == [
        "--index-url https://index.example/simple",
        f"Flask==3.0.0 --hash=sha256:{A} --hash=sha256:{B}",
        f"jinja2==3.1 --hash=sha256:{A}",
        f"fast==1 --hash=sha256:{B}",
    ]


def test_markers_are_those_of_the_image() -> None:
    text = f"tomli==2.0 ; python_version < '3.11' --hash=sha256:{A}"
    assert lines(text) == []
    assert lines(text, Target("3.9.2", "2.31", "linux/amd64")) == [f"tomli==2.0 --hash=sha256:{A}"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("flask==3.0", 'req.txt:1: cannot read the requirement "flask": it has no hash'),
        (f"\nflask>=3 --hash=sha256:{A}", 'req.txt:2: cannot read the requirement "flask": it names no version'),
        (f"flask==3.* --hash=sha256:{A}", 'req.txt:1: cannot read the requirement "flask": it names no version'),
        ("flask==3 --hash=md5:00", 'req.txt:1: cannot read the requirement "flask": "md5:00" is no hash of SHA-256'),
        (f"flask==3 --hash=sha256:{A[1:]}", 'req.txt:1: cannot read the requirement "flask": "sha256:aaa'),
        (f"a==1 --hash=sha256:{A}\nA==1 --hash=sha256:{A}", 'req.txt:2: cannot read the requirement "A": it is there'),
        ("-r other.txt", 'req.txt:1: cannot read the option "-r": it is not taken here'),
        ("-e .", 'req.txt:1: cannot read the option "-e"'),
        (f"a @ https://x.example/a.whl --hash=sha256:{A}", 'req.txt:1: cannot read the requirement "a": it is an addr'),
        ("!!", 'req.txt:1: cannot read the requirement "!!": '),
    ],
)
def test_what_is_refused(text: str, error: str) -> None:
    with pytest.raises(DistrolessError) as caught:
        lines(text)
    assert str(caught.value).startswith(error)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(DistrolessError):
        lines(text)


def test_platform_tags() -> None:
    tags = list(Target("3.11.2", "2.17", "linux/amd64").platforms())
    assert tags[:3] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_16_x86_64"]
    assert tags[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    assert "manylinux1_aarch64" not in list(TARGET.platforms())


LOCKED = f"flask==3.0.1 --hash=sha256:{A}\nzope.interface==6.0rc1 --hash=sha256:{A}\n"


@pytest.mark.parametrize(
    "source",
    [
        "",
        "flask",
        "Flask>=3,<4 # why",
        "zope-interface",
        "tomli; python_version < '3.11'",
        "-r other.in\n--pre\nflask~=3.0",
    ],
)
def test_a_file_that_fits_what_it_was_made_from(source: str) -> None:
    check(read(LOCKED, "req.txt", TARGET), "req.txt", source, "req.in", TARGET)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("flask>=3.1", 'req.in:1: cannot meet the requirement "flask>=3.1": req.txt has 3.0.1; renew it with'),
        ("\nrequests", 'req.in:2: cannot meet the requirement "requests": req.txt does not have it; renew it with'),
        ("tomli; python_version > '3.11'", 'cannot meet the requirement "tomli": req.txt does not have it'),
        ("flask==", 'req.in:1: cannot read the requirement "flask=="'),
    ],
)
def test_a_file_that_does_not_fit(source: str, error: str) -> None:
    with pytest.raises(FormatError) as caught:
        check(read(LOCKED, "req.txt", TARGET), "req.txt", source, "req.in", TARGET)
    assert error in str(caught.value)


@given(st.text())
def test_any_source_fits_or_is_refused(source: str) -> None:
    with suppress(DistrolessError):
        check((), "req.txt", source, "req.in", TARGET)
