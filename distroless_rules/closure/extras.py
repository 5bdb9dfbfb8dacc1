"""What no file can say: data and plugins that are found by searching folders, in a table of who looks for them.

A row holds when a file that matches ``when`` is reached; then all that matches ``also`` is. Patterns are paths in which
``*`` crosses folders. Each row has its reason, for docs/decisions/closure.md and for people who wonder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

__all__ = ["EXTRAS", "Extra"]


@dataclass(frozen=True)
class Extra:
    """Files that are needed where others are.

    Attributes:
        name: a word for reports: ``nss``.
        when: a pattern for the file that looks for them.
        also: patterns for them.
        reason: how they are found.
    """

    name: str
    when: str
    also: tuple[str, ...]
    reason: str

    @cached_property
    def looks(self) -> re.Pattern[str]:
        """What matches the paths of files that bring these."""
        return re.compile(translate(self.when))

    @cached_property
    def wanted(self) -> re.Pattern[str]:
        """What matches the paths of these."""
        return re.compile("|".join(translate(pattern) for pattern in self.also))


EXTRAS: tuple[Extra, ...] = (
    Extra("nss", "usr/lib/*/libc.so.6", ("usr/lib/*/libnss_*",), "the C library opens the services of nsswitch.conf"),
    Extra("gconv", "usr/lib/*/libc.so.6", ("usr/lib/*/gconv/*",), "iconv(3) opens converters by the names of charsets"),
    Extra("locale", "usr/lib/*/libc.so.6", ("usr/lib/locale/C.utf8/*",), "setlocale(3) opens the locale it is given"),
    Extra("thread-exit", "usr/lib/*/libc.so.6", ("usr/lib/*/libgcc_s.so*",), "pthread_exit(3) opens it to unwind"),
    Extra("time-zones", "usr/lib/*/libc.so.6", ("usr/share/zoneinfo/*",), "tzset(3) opens the zone that TZ names"),
    Extra(
        "openssl",
        "usr/lib/*/libcrypto.so.*",
        ("usr/lib/*/ossl-modules/*", "usr/lib/*/engines-*", "usr/lib/ssl/*"),
        "providers and engines are opened by the names in openssl.cnf",
    ),
    Extra("icu", "usr/lib/*/libicuuc.so.*", ("usr/share/icu/*",), "ICU looks for data by locale and version"),
    Extra("java", "usr/lib/jvm/*", ("usr/lib/jvm/*",), "classes are found in the module image by name"),
    Extra(
        "node",
        "usr/*libnode.so.*",
        ("usr/share/nodejs/*", "usr/share/node_modules/*", "usr/lib/*/nodejs/*"),
        "Debian keeps modules that Node has built in elsewhere in folders of its own",
    ),
    Extra(
        "perl",
        "usr/*/libperl.so.*",
        ("usr/share/perl*", "usr/lib/*/perl*", "usr/lib/*/perl-base/*"),
        "modules are found by name in @INC",
    ),
    Extra(
        "python-build",
        "usr/lib/python3*/sysconfig*",
        ("usr/lib/python3*/_sysconfigdata_*",),
        "sysconfig imports it by a name that it makes of the platform",
    ),
    Extra("perl-base", "usr/bin/perl", ("usr/lib/*/perl-base/*",), "modules are found by name in @INC"),
    Extra("ruby", "usr/lib/*/libruby-*.so.*", ("usr/lib/ruby/*", "usr/lib/*/ruby/*"), "features are found by name"),
    Extra("php", "usr/bin/php*", ("usr/lib/php/*", "usr/share/php/*"), "extensions are named in php.ini"),
    Extra("lua", "usr/*/liblua*.so.*", ("usr/share/lua/*", "usr/lib/*/lua/*"), "modules are found by name"),
    Extra("tcl", "usr/lib/*/libtcl*.so*", ("usr/share/tcltk/*", "usr/lib/tcltk/*"), "packages are found by name"),
    Extra("fonts", "usr/*/libfontconfig.so.*", ("usr/share/fontconfig/*", "usr/share/fonts/*"), "fonts are searched"),
    Extra("pam", "usr/lib/*/libpam.so.*", ("usr/lib/*/security/*",), "modules are named in /etc/pam.d"),
    Extra("kerberos", "usr/lib/*/libkrb5.so.*", ("usr/lib/*/krb5/*",), "plugins are searched"),
    Extra("gss", "usr/lib/*/libgssapi*.so.*", ("usr/lib/*/gss/*",), "mechanisms are searched"),
    Extra("sasl", "usr/lib/*/libsasl2.so.*", ("usr/lib/*/sasl2/*",), "mechanisms are searched"),
    Extra("p11", "usr/lib/*/libp11-kit.so.*", ("usr/lib/*/pkcs11/*", "usr/share/p11-kit/*"), "modules are searched"),
    Extra("gio", "usr/lib/*/libgio-2.0.so.*", ("usr/lib/*/gio/*", "usr/share/glib-2.0/*"), "modules are searched"),
    Extra("pixbuf", "usr/lib/*/libgdk_pixbuf-*", ("usr/lib/*/gdk-pixbuf-2.0/*",), "loaders are searched"),
    Extra("magick", "usr/lib/*/libMagickCore-*", ("usr/lib/*/ImageMagick-*",), "coders are searched"),
    Extra("magic", "usr/lib/*/libmagic.so.*", ("usr/lib/file/*", "usr/share/misc/magic*"), "the database of file(1)"),
    Extra(
        "terminals",
        "usr/lib/*/libtinfo.so.*",
        ("usr/lib/terminfo/*", "usr/share/terminfo/*"),
        "the description of the terminal that TERM names",
    ),
    Extra(
        "postgresql",
        "usr/lib/postgresql/*/bin/*",
        ("usr/lib/postgresql/*", "usr/share/postgresql/*"),
        "extensions, and what initdb reads, are found by name",
    ),
    Extra("apache", "usr/sbin/apache2", ("usr/lib/apache2/*",), "its configuration names modules"),
    Extra("nginx", "usr/sbin/nginx", ("usr/lib/nginx/*", "usr/share/nginx/*"), "its configuration names modules"),
    Extra("mime", "usr/lib/*", ("usr/share/mime/*", "usr/share/iso-codes/*"), "databases that many libraries look for"),
)
"""The table; later rows may reach what earlier ones look for."""
