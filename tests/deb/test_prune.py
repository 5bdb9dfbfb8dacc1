"""What each rule leaves out of a deb, and what looks like it and stays: paths in, the rule's name out."""

from __future__ import annotations

from pathlib import Path

import pytest

from distroless_rules.deb.prune import RULES, Pruner, matcher
from tests.support.composing import composed

LIB = "usr/lib/x86_64-linux-gnu"
DROPPED = {
    "doc": "usr/share/doc/a/README usr/share/doc/a/examples/a.c usr/share/doc/a/changelog.gz",
    "man": "usr/share/man/man1/a.1.gz usr/share/man/de/man1/a.1.gz usr/lib/jvm/a/man/man1/b.1 usr/share/a/man/man1/a.1",
    "info": "usr/share/info/a.info.gz",
    "locale": "usr/share/locale/de/LC_MESSAGES/a.mo",
    "headers": f"usr/include/a.h usr/include/x86_64-linux-gnu/b.h {LIB}/python3-numpy/numpy/_core/include/numpy/c.h "
    f"{LIB}/perl/5.40.1/CORE/av.h usr/share/perl/5.40.1/Encode/encode.h",
    "static": f"{LIB}/liba.a {LIB}/liba.la usr/lib/liba.la usr/lib/gcc/x86_64-linux-gnu/14/libgcc.a",
    "pkg-config": f"{LIB}/pkgconfig/a.pc usr/lib/pkgconfig/a.pc usr/share/pkgconfig/a.pc",
    "build-system": f"{LIB}/cmake/a/a.cmake usr/share/cmake/a.cmake usr/share/aclocal/a.m4",
    "completion": "usr/share/bash-completion/completions/a usr/share/zsh/vendor-completions/_a etc/bash_completion.d/a",
    "packaging": "usr/share/lintian/overrides/a usr/share/bug/a/script usr/lib/debug/.build-id/aa/bb.debug",
    "installation": "usr/sbin/update-ca-certificates usr/bin/py3compile usr/share/python3/dist/a",
    "managers": "usr/bin/cpan usr/bin/gem3.3 usr/bin/bundle usr/bin/luac5.4 usr/lib/ruby/gems/3.3/gems/b/exe/bundle",
    "debugger": "usr/share/gdb/auto-load/a.py usr/share/gcc/python/b.py usr/share/gcc-14/python/b.py",
    "service": "etc/init.d/a etc/cron.daily/a usr/lib/systemd/system/a.service usr/lib/tmpfiles.d/a.conf",
    "gconv": f"{LIB}/gconv/EUC-JP.so {LIB}/gconv/ISO8859-2.so",
}
KEPT = (
    # Licences.
    *(
        "usr/share/doc/a/copyright",
        "usr/share/doc/a/LICENSE.txt",
        "usr/share/doc/a/b/NOTICE",
        "usr/share/doc/a/COPYING",
    ),
    # Plugins that programs open by their libtool archives, and what only ends alike.
    *(f"{LIB}/ImageMagick-7.1.1/modules-Q16/coders/png.la", f"{LIB}/liba.so", f"{LIB}/a.lua", f"{LIB}/python3/a.pya"),
    # Names that only begin alike.
    *("usr/bin/gemtool", "usr/bin/cpanm", "usr/bin/lua5.4", "usr/lib/ruby/gems/3.3.0/gems/rake-13/exe/rake"),
    # A compiler's own headers, and what is none.
    *("usr/lib/gcc/x86_64-linux-gnu/14/include/stddef.h", "usr/lib/llvm-19/lib/clang/19/include/a.h"),
    *("usr/lib/a/include/b.py", "usr/share/pocl/include/a.h", "etc/a.h"),
    # Folders that only begin or end alike.
    *("usr/share/docbook/a", "usr/share/manual/a", "usr/share/information/a", "usr/share/locales/a", "usr/includes/a"),
    *("usr/share/i18n/locales/C", "usr/lib/locale/C.utf8/LC_CTYPE", "usr/lib/perl5/pkgconfig.pm", "etc/crontab"),
    *("usr/lib/jvm/a/lib/man.jar", "usr/share/a/man/a.1", "usr/share/bugs/a", "usr/share/pythons/a"),
    *("usr/bin/py3compiler", "usr/bin/update-ca-certificates.real", "usr/share/gdbm/a", "etc/init/a", "etc/cron.conf"),
    # Converters of Unicode and Latin, the tables that name them, and a library that programs link with.
    *(f"{LIB}/gconv/UTF-16.so", f"{LIB}/gconv/ISO8859-1.so", f"{LIB}/gconv/gconv-modules.d/a.conf"),
    "usr/lib/systemd/libsystemd-shared-257.so",
)
FILES = "usr/bin/a\nusr/share/man/man1/a.1\nusr/share/man/man5/a.5\nusr/share/doc/a/copyright\nusr/share/a/b\n"


def test_every_rule_is_tried() -> None:
    assert list(DROPPED) == [rule.name for rule in RULES]
    assert all(rule.reason for rule in RULES)


@pytest.mark.parametrize(("rule", "path"), [(rule, path) for rule, text in DROPPED.items() for path in text.split()])
def test_what_a_rule_leaves_out(rule: str, path: str) -> None:
    assert Pruner().rule(path) == rule
    assert Pruner(keep=matcher([f"/{path}"], str)).rule(path) is None


@pytest.mark.parametrize("path", KEPT)
def test_what_stays(path: str) -> None:
    assert Pruner().rule(path) is None


@pytest.mark.parametrize(
    ("locales", "kept"),
    [
        ([], ""),
        (["de"], "de de@x de_AT"),
        (["de_AT"], "de de@x de_AT"),
        (["d."], ""),
        (["pt_BR", "nn"], "nn pt_BR"),
    ],
)
def test_languages_that_are_asked_for_stay(locales: list[str], kept: str) -> None:
    pruner = Pruner(locales)
    every = ("de", "de@x", "de_AT", "den", "nn", "pt_BR", "sv")
    stay = [name for name in every if not pruner.rule(f"usr/share/locale/{name}/LC_MESSAGES/a.mo")]
    assert stay == kept.split()


@pytest.mark.parametrize(
    ("keep", "exclude", "expected"),
    [
        ([], [], "usr/bin/a usr/share/a/b usr/share/doc/a/copyright"),
        (["/usr/share/man/man1"], [], "usr/bin/a usr/share/a/b usr/share/doc/a/copyright usr/share/man/man1/a.1"),
        ([], ["/usr/share/a/*"], "usr/bin/a usr/share/doc/a/copyright"),
        ([], ["/usr/share/**"], "usr/bin/a"),
        (["/usr/share/**/a.5"], ["/usr/share"], "usr/bin/a usr/share/man/man5/a.5"),
    ],
)
def test_the_image_has_the_last_word(tmp_path: Path, keep: list[str], exclude: list[str], expected: str) -> None:
    made = composed(tmp_path, {"a": FILES}, keep=keep, exclude=exclude)
    assert " ".join(sorted(entry.path for entry in made.layers["0"] if entry.kind.name != "DIRECTORY")) == expected
