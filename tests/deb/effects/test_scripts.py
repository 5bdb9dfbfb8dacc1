"""Maintainer scripts as text in, what they change in an image as text out; what is not modelled is named."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.deb.effects.script_acts import is_mode
from distroless_rules.deb.effects.script_effects import changed_mode
from distroless_rules.errors import AnalysisError
from distroless_rules.values.tree import Entry, Kind
from tests.support.composing import Composed, composed
from tests.support.debs import make_deb

FILES = """usr/share/a/x = text of x
0600 usr/share/a/y = text of y
etc/a.conf = settings
etc/a.d/one
etc/link -> a.conf
var/lib/a/
usr/bin/a = program
"""


def image(folder: Path, script: str, name: str = "postinst", files: str = FILES, **parameters: object) -> Composed:
    scripts = {name: f"#!/bin/sh\nset -e\n{script}\n"} if script else {}
    debs: dict[str, bytes | str] = {"a": make_deb(files, {"Package": "a"}, scripts, compression="none")}
    if "other" in parameters:
        debs["b"] = str(parameters.pop("other"))
    return composed(folder, debs, **parameters)


def lines(made: Composed) -> list[str]:
    return [made.line(entry) for name in made.layers for entry in made.layers[name]]


def changed(folder: Path, script: str, name: str = "postinst", files: str = FILES, **parameters: object) -> str:
    """Give the lines that a script adds to an image, and, after a minus, those that it takes away."""
    with_, without = (lines(image(folder, text, name, files, **dict(parameters))) for text in (script, ""))
    status = "var/lib/dpkg/status.d/"
    gone = [f"- {line}" for line in without if line not in with_ and status not in line]
    return "\n".join([*gone, *(line for line in with_ if line not in without and status not in line)])


def refused(folder: Path, script: str, name: str = "postinst", files: str = FILES, **parameters: object) -> str:
    with pytest.raises(AnalysisError) as raised:
        image(folder, script, name, files, **parameters)
    assert raised.value.hint == 'if the image is right without it, write accept = ["a"]'
    return str(raised.value.cause)


MODELLED = {
    # mkdir(1)
    "mkdir /var/b": "0755 0:0 var/b/",
    "mkdir -p -m 0700 /var/b/c": "0755 0:0 var/b/\n0700 0:0 var/b/c/",
    "mkdir --mode=u=rwx,go= /var/b": "0700 0:0 var/b/",
    "mkdir -pm750 /var/b /var/c": "0750 0:0 var/b/\n0750 0:0 var/c/",
    "mkdir -p -m 0700 /var/lib/a": "",
    "mkdir -pZ /var/b": "0755 0:0 var/b/",
    # install(1)
    "install -d -m 2775 -o www -g 42 /var/b": "2775 7:42 var/b/",
    "install -d -m 700 /var/lib/a": "- 0755 0:0 var/lib/a/\n0700 0:0 var/lib/a/",
    "install -m 640 -o 3 /usr/share/a/x /etc/b": "0640 3:0 etc/b = text of x",
    "install /usr/share/a/x /var/lib/a": "0755 0:0 var/lib/a/x = text of x",
    "install -m 4755 /usr/share/a/x /etc/b": "0755 0:0 etc/b = text of x",
    "install -m 600 /usr/share/a/x /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0600 0:0 etc/a.conf = text of x",
    # cp(1)
    "cp /usr/share/a/x /etc/b": "0644 0:0 etc/b = text of x",
    "cp -p /usr/share/a/y /etc/": "0600 0:0 etc/y = text of y",
    "cp -a /usr/share/a/x /var/lib/a": "0644 0:0 var/lib/a/x = text of x",
    "cp /usr/share/a/y /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0644 0:0 etc/a.conf = text of y",
    "cp /usr/share/a/x /etc/link": "- 0644 0:0 etc/a.conf = settings\n0644 0:0 etc/a.conf = text of x",
    "cp -n /usr/share/a/x /etc/a.conf": "",
    "cp /usr/share/a/x /etc/b; cp /etc/b /etc/c": "0644 0:0 etc/b = text of x\n0644 0:0 etc/c = text of x",
    # ucf(1)
    "ucf --three-way --debconf-ok /usr/share/a/x /etc/b": "0644 0:0 etc/b = text of x",
    "ucf /usr/share/a/x /etc/a.conf": "",
    "ucf --purge /etc/a.conf": "",
    # touch(1)
    "touch /etc/b; touch -d @0 /etc/a.conf": "0644 0:0 etc/b",
    "touch -c /etc/b": "",
    # ln(1)
    "ln -s a.conf /etc/b": "0777 0:0 etc/b -> a.conf",
    "ln -s /usr/share/a/x /var/lib/a": "0777 0:0 var/lib/a/x -> /usr/share/a/x",
    "ln -s /usr/share/a/x /etc/a.conf || true": "",
    "ln -sf /usr/share/a/x /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0777 0:0 etc/a.conf -> /usr/share/a/x",
    "ln -snf /usr/share/a/x /etc/link": "- 0777 0:0 etc/link -> a.conf\n0777 0:0 etc/link -> /usr/share/a/x",
    "ln -s /var/nothing /etc/b": "",
    "ln -s /etc/c /etc/b; touch /etc/c": "0777 0:0 etc/b -> /etc/c\n0644 0:0 etc/c",
    # chmod(1)
    "chmod 600 /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0600 0:0 etc/a.conf = settings",
    "chmod g+w,o= /etc/link": "- 0644 0:0 etc/a.conf = settings\n0660 0:0 etc/a.conf = settings",
    "chmod 4755 /usr/bin/a": "- 0644 0:0 usr/bin/a = program\n0755 0:0 usr/bin/a = program",
    "chmod 2770 /var/lib/a": "- 0755 0:0 var/lib/a/\n2770 0:0 var/lib/a/",
    "chmod 600 /etc/nothing || true": "",
    "chmod -R go-rx /etc/a.d": "- 0755 0:0 etc/a.d/\n- 0644 0:0 etc/a.d/one\n0700 0:0 etc/a.d/\n0600 0:0 etc/a.d/one",
    "chmod 600 /etc/a.co*f": "- 0644 0:0 etc/a.conf = settings\n0600 0:0 etc/a.conf = settings",
    # chown(1), chgrp(1)
    "chown www /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0644 7:0 etc/a.conf = settings",
    "chown www: /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0644 7:8 etc/a.conf = settings",
    "chown www.games /etc/link": "- 0644 0:0 etc/a.conf = settings\n0644 7:60 etc/a.conf = settings",
    "chgrp -h games /etc/link": "- 0777 0:0 etc/link -> a.conf\n0777 0:60 etc/link -> a.conf",
    "mkdir /var/b; touch /var/b/c; chown -R 5:6 /var/b": "0755 5:6 var/b/\n0644 5:6 var/b/c",
    # dpkg-statoverride(1)
    "dpkg-statoverride --update --add root games 0750 /etc/a.d": "- 0755 0:0 etc/a.d/\n0750 0:60 etc/a.d/",
    "dpkg-statoverride --update --add '#5' '#6' 600 /etc/a.conf": (
        "- 0644 0:0 etc/a.conf = settings\n0600 5:6 etc/a.conf = settings"
    ),
    "dpkg-statoverride --list /etc/a.d >/dev/null || chmod 700 /etc/a.d": "- 0755 0:0 etc/a.d/\n0700 0:0 etc/a.d/",
    # Text that goes to a file.
    "cat > /etc/b <<E\nhello $1\nE": "0644 0:0 etc/b = hello configure\\n",
    "cat > /etc/a.conf <<E\nx\nE": "- 0644 0:0 etc/a.conf = settings\n0644 0:0 etc/a.conf = x\\n",
    "echo a  'b  c' > /etc/b": "0644 0:0 etc/b = a b  c\\n",
    "echo a >> /etc/b": "0644 0:0 etc/b = a\\n",
    ": > /etc/b; > /var/c": "0644 0:0 etc/b\n0644 0:0 var/c",
    ": >> /etc/a.conf; :>>/etc/b": "0644 0:0 etc/b",
    ": > /etc/a.conf": "- 0644 0:0 etc/a.conf = settings\n0644 0:0 etc/a.conf",
    "echo 1 > /proc/sys/kernel/x; echo a > /dev/null; a=$(mktemp); echo b > $a; chmod 600 $a; rm -f $a": "",
    # Paths.
    "mkdir -p /lib/b /var/run/c /usr/share/../b": "0755 0:0 run/c/\n0755 0:0 usr/b/\n0755 0:0 usr/lib/b/",
    # Through others.
    "find /etc/a.d -name one -exec ls {} \\;; ls /etc | xargs -r -n 1 echo": "",
    "[ -x /usr/bin/install ] && install -d /var/b": "0755 0:0 var/b/",
    "command -v mkdir >/dev/null && mkdir /var/b": "0755 0:0 var/b/",
}
PASSWD = "usr/share/base-passwd/passwd.master = root:*:0:0:root:/root:/bin/sh\\nwww:*:7:8:www:/var/www:/bin/sh\\n\n"
GROUP = "usr/share/base-passwd/group.master = root:*:0:\\nwww:*:8:\\ngames:*:60:\\nadm:*:4:\\n\n"
BASE: dict[str, bytes | str] = {"base-passwd": PASSWD + GROUP}


@pytest.mark.parametrize("script", MODELLED)
def test_what_a_script_does_to_files(tmp_path: Path, script: str) -> None:
    assert changed(tmp_path, script, base=BASE) == MODELLED[script]


UNMODELLED = (
    # What takes away or moves what is there, or may be there.
    "rm /etc/a.conf",
    "rm -rf /etc/a.d",
    "rm -f /etc/*.conf",
    "rm -rf /usr/share/a/",
    "rm -f $(find /)",
    "rm -f b",
    "touch /etc/b; rm /etc/b",
    "rmdir /var/lib/a",
    "command rm /etc/a.conf",
    "eval rm /etc/a.conf",
    "exec rm /etc/a.conf",
    "trap 'rm /etc/a.conf' EXIT",
    "mv /etc/a.conf /etc/b.conf",
    "mv $(mktemp) /etc/b",
    "mv -t /etc /var/b /usr/share/a/x",
    "find /etc -name '*.conf' -delete",
    "find /etc /var -exec rm {} +",
    "find /etc -name a.conf -exec chmod 600 {} \\;",
    "find $x -delete",
    "find /etc -fprint /etc/b",
    "find /etc -type f | xargs rm -f",
    "echo /etc/b | xargs -n 1 -r touch",
    "dpkg-divert --rename --add /usr/bin/b",
    # What runs other text.
    "sh -c 'rm /etc/a.conf'",
    "bash /usr/share/a/x",
    'eval "$(cat /etc/a.conf)"',
    ". /usr/share/a/x",
    "perl -e 'unlink \"/etc/a.conf\"'",
    "python3 -c pass",
    "su www -c a",
    "/usr/bin/a --setup",
    "a",
    "$(cat /etc/a.conf)",
    "env a=b /usr/bin/a",
    "chroot / a",
    "awk 'BEGIN { system(\"rm /etc/a.conf\") }'",
    "awk '{ print > \"/etc/b\" }' /etc/a.conf",
    # Output that is not known, or goes where it is not known.
    "ls > /etc/b",
    "echo a >> /etc/a.conf",
    "echo -n a > /etc/b",
    "echo 'a\\nb' > /etc/b",
    "echo a > $(cat /etc/a.conf)",
    "echo a > b",
    "ls 2> /etc/b",
    "{ echo a; } > /etc/b",
    "cat /etc/a.conf > /etc/b",
    "cat > /etc/b <<E\n$(ls)\nE",
    "echo a | tee /etc/b",
    "sed -i s/a/b/ /etc/a.conf",
    "sed -ni s/a/b/p /etc/a.conf",
    "sed -e 's/a/b/' --in-place=.old /etc/a.conf",
    "sed 'w /etc/b' /etc/a.conf",
    "sort -u -o /etc/a.conf /etc/a.conf",
    "uniq /etc/a.conf /etc/b",
    # Uses of modelled commands that are not.
    "mkdir $(cat /etc/a.conf)",
    "mkdir var/b",
    "mkdir --context=b /var/b",
    "mkdir -m $x$(ls) /var/b",
    "install -s /usr/share/a/x /etc/b",
    "install /usr/share/a/x /usr/share/a/y /etc",
    "install /usr/share/a/nothing /etc/b",
    "cp -r /usr/share/a /etc",
    "cp /usr/share/doc/a/example /etc/b",
    "cp /usr/share/a/* /etc",
    "cp -t /etc /usr/share/a/x",
    "ln /etc/a.conf /etc/b",
    "ln -sr /etc/a.conf /etc/b",
    "ln -s a.conf",
    "chmod --reference=/etc /etc/a.conf",
    "chmod u=g /etc/a.conf",
    "chmod 0999 /etc/a.conf",
    "chmod a+r,zzz /etc/a.conf",
    "chmod 600 /etc/*/*.conf",
    "chmod 600 /etc/*.none",
    "chronyd -d",
    "php_invoke dismod 8.4 ALL a",
    "php_invoke enmod 8.4 ALL $x",
    "a2enmod $(cat /etc/a.conf)",
    "lighty-enable-mod ../a",
    "printf a > /var/log/a",
    "a > /var/log/a",
    "chown --from=root www /etc/a.conf",
    "dpkg-statoverride --update --add root root u+s /etc/a.conf",
    "update-alternatives --set a /usr/bin/a",
    "update-alternatives --install /usr/bin/b b /usr/bin/a high",
    "update-alternatives --install /usr/bin/b ../b /usr/bin/a 1",
    "umask 077",
    "mkdir /var/b; umask 027; mkdir /var/c",
    "dpkg --unpack /etc/a.conf",
    "printf -v x y",
    "systemd-sysusers -",
    "glib-compile-schemas /usr/share/a",
    "unset -f a",
    "deluser www",
    "usermod -d /var/b www",
    "usermod -G adm www",
    "adduser a",
    "adduser --system $(cat /etc/a.conf)",
    "adduser --system --home $(cat /etc/a.conf) b",
    "useradd --root /var/b c",
)


@pytest.mark.parametrize("script", UNMODELLED)
def test_what_is_not_modelled_is_named(tmp_path: Path, script: str) -> None:
    files = f"{FILES}usr/share/a/b.gschema.xml = x\n"
    found = refused(tmp_path, script, files=files, other="usr/bin/b = of b\n")
    line = r"nobody has modelled postinst of a, line [34]: (?P<text>.*?)( \(and \d more commands\))?"
    assert (match := re.fullmatch(line, found))
    assert match["text"].split()[-1] in script
    accepted = image(tmp_path, script, files=files, other="usr/bin/b = of b\n", accept=["a"])
    assert accepted.report["accepted"][0].startswith("postinst of a, line ")


HARMLESS = (
    "rm -f /etc/a.conf.old /etc/old.d/*.conf",
    "rmdir --ignore-fail-on-non-empty /etc/old.d 2>/dev/null || true",
    "[ ! -e /etc/old.conf ] || mv /etc/old.conf /etc/a.conf",
    "mv -f /etc/old.conf /etc/a.conf",
    "find /etc/old.d -type f -delete",
    "find /etc -maxdepth 1 -type d -name 'old.*.d' -empty -delete",
    'if dpkg --compare-versions "$2" lt-nl 2; then rm /etc/a.conf; fi',
    'if [ -n "$2" ]; then rm -rf /etc; fi',
    'if [ "$1" = upgrade ]; then eval "$x"; fi',
    'dpkg-maintscript-helper rm_conffile /etc/a.conf 1.0~ -- "$@"',
    "dpkg-divert --package a --add --rename --divert /usr/bin/a.real /usr/bin/a",
    "systemctl daemon-reload; deb-systemd-helper enable a.service; invoke-rc.d a start",
    "x=$(sed -n 's/a/b/p' /etc/a.conf | sort -u | awk '{ print $1 }' | uniq)",
    "ldconfig; py3compile -p a; update-ca-certificates --fresh",
    "tmp=$(mktemp -d); trap 'rm -rf \"$tmp\"' EXIT; ls > $tmp/x 2> $tmp/y",
    "systemd-tmpfiles --create a.conf; systemd-sysusers a.conf",
    "glib-compile-schemas /usr/share/glib-2.0/schemas || true",
    "if [ -d /run/systemd/system ]; then unheard of; fi",
    'if test -n "$(command -v unheard 2>/dev/null)"; then unheard of; fi',
    "if command -v unheard; then unheard of; fi",
    ". /usr/share/debconf/confmodule; db_version 2.0; db_stop",
    "update-alternatives --remove a /usr/bin/old --quiet",
    "update-gsfontmap; update-fonts-dir --x11r7-layout Type1",
    "fc-cache -s -f -v 1>/var/log/a.log 2>&1",
    "NAME=a /usr/lib/runit-helper/runit-helper postinst",
    'if old=$(dpkg-query --control-path "b:$x" postrm 2>/dev/null) && [ -n "$old" ]; then rm -f "$old"; fi',
    "dbus-uuidgen --ensure; rndc-confgen -a; chronyd -p | grep -q ^user",
)


@pytest.mark.parametrize("script", HARMLESS)
def test_what_is_harmless_changes_nothing(tmp_path: Path, script: str) -> None:
    assert changed(tmp_path, script) == ""


def test_a_preinst_comes_before_its_deb_is_unpacked(tmp_path: Path) -> None:
    assert changed(tmp_path, "rm -rf /etc/a.d; [ ! -e /etc/a.conf ]; mkdir /var/b", "preinst") == "0755 0:0 var/b/"
    assert changed(tmp_path, "if [ -e /etc/a.conf ]; then unheard of; fi", "preinst") == ""
    assert refused(tmp_path, "rm /usr/bin/b", "preinst", other="usr/bin/b = b\n").endswith("line 3: rm /usr/bin/b")


@pytest.mark.parametrize("name", ["prerm", "postrm", "config"])
def test_scripts_that_an_installation_does_not_need_are_not_read(tmp_path: Path, name: str) -> None:
    assert changed(tmp_path, "rm -rf /; unheard of", name) == ""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("#!/usr/bin/perl\nunlink", "postinst of a, line 1: it is written for /usr/bin/perl"),
        ("mkdir /var/b", "postinst of a, line 1: it is written for no shell"),
        ("#!/bin/sh\nif true", 'postinst of a, line 1: "then" is missing'),
        ("#!/bin/sh\nf() { f; }; f", "postinst of a, line 1: it is nested more than 100 deep"),
        ("#! /bin/bash -e\nunheard  \\\n  of it", "postinst of a, line 2: unheard of it"),
        ("#!/usr/bin/env dash\nunheard of", "postinst of a, line 2: unheard of"),
    ],
)
def test_a_script_that_cannot_be_read_is_named(tmp_path: Path, text: str, cause: str) -> None:
    debs = {"a": make_deb(FILES, {"Package": "a"}, {"postinst": text}, compression="none")}
    with pytest.raises(AnalysisError) as raised:
        composed(tmp_path, debs)
    assert str(raised.value) == (
        f"cannot model the maintainer scripts of a: nobody has modelled {cause}; "
        'if the image is right without it, write accept = ["a"]'
    )


def test_scripts_see_what_scripts_made(tmp_path: Path) -> None:
    script = "[ -d /var/b ] || mkdir /var/b; if [ -d /var/b ]; then chmod 700 /var/b; fi; touch /var/b/c"
    assert changed(tmp_path, f"{script}; if [ -e /var/b/c ]; then chmod 600 /var/b/c; fi") == (
        "0700 0:0 var/b/\n0600 0:0 var/b/c"
    )


def test_what_effects_make_later_is_not_taken_for_absent(tmp_path: Path) -> None:
    script = "if [ -e /etc/nsswitch.conf ]; then unheard of; fi; [ -d /var/log ] && mkdir /var/log/a"
    assert refused(tmp_path, script).endswith("line 3: unheard of")
    assert changed(tmp_path, "[ -d /var/log ] && mkdir /var/log/a; [ -d /tmp ] || unheard of") == "0755 0:0 var/log/a/"


def test_what_the_image_declares_or_excludes_is_left_to_it(tmp_path: Path) -> None:
    row = {"path": "/etc/b", "kind": "file", "mode": "0600", "input": "file/0", "label": "//:b"}
    script = "cat > /etc/b <<E\ntheirs\nE\nchown 5:6 /etc/b; touch /etc/c /var/d"
    debs = {"a": make_deb(FILES, {"Package": "a"}, {"postinst": f"#!/bin/sh\n{script}"}, compression="none")}
    made = composed(tmp_path, debs, {"file/0": b"mine"}, files=[row], exclude=["/etc/c"])
    found = [line for line in lines(made) if line.split()[2] in ("etc/b", "etc/c", "var/d")]
    assert found == ["0644 0:0 var/d", "0600 0:0 etc/b = mine"]


MODES = st.one_of(
    st.integers(0, 0o7777).map("{:o}".format),
    st.integers(0, 0o7777).map("{:05o}".format),
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.text(st.sampled_from("ugoa"), max_size=2),
            st.sampled_from("+-="),
            st.text(st.sampled_from("rwxXst"), max_size=3),
        ),
        min_size=1,
        max_size=3,
    ).map(",".join),
)


@pytest.mark.skipif(not shutil.which("chmod"), reason="it asks chmod")
@settings(max_examples=150, deadline=None)
@given(MODES, st.integers(0, 0o7777), st.booleans())
def test_modes_are_what_chmod_makes_of_them(text: str, before: int, is_folder: bool) -> None:
    assert is_mode(text)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "it"
        if is_folder:
            path.mkdir()
        else:
            path.touch()
        path.chmod(before)
        before = stat.S_IMODE(path.stat().st_mode)
        subprocess.run(["chmod", "--", text, str(path)], check=True, umask=0o022, capture_output=True)
        after = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o700)
    kind = Kind.DIRECTORY if is_folder else Kind.FILE
    assert oct(changed_mode(Entry("it", kind, before), text)) == oct(after)
