"""What a2enmod, lighty-enable-mod, phpenmod and mysql-common's helper enable: scripts as text in, links as text out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.composing import Composed, composed
from tests.support.debs import make_deb

APACHE = """etc/apache2/mods-available/auth_basic.load = # Depends: authn_core\\nLoadModule
etc/apache2/mods-available/authn_core.load = LoadModule
etc/apache2/mods-available/mime.load = LoadModule
etc/apache2/mods-available/mime.conf = TypesConfig
etc/apache2/mods-enabled/
etc/apache2/conf-available/security.conf = ServerTokens
etc/apache2/sites-available/000-default.conf = DocumentRoot
"""
LIGHTTPD = """etc/lighttpd/conf-available/10-cgi.conf = # -*- depends: alias, env -*-\\n
etc/lighttpd/conf-available/05-alias.conf = x
etc/lighttpd/conf-available/05-env.conf = # -*- depends: cgi, nothing -*-\\n
"""
PHP = """etc/php/8.4/cli/conf.d/
etc/php/8.4/fpm/conf.d/
etc/php/8.4/fpm/pool.d/www.conf = x
etc/php/8.4/mods-available/
usr/share/php8.4-a/a/ctype.ini = ; configuration\\n; priority=15\\nextension=ctype.so
usr/share/php8.4-a/a/phar.ini = extension=phar.so
"""
REGISTER = """. /usr/lib/php/php-maintscript-helper
for name in ctype phar; do
  ucf /usr/share/php8.4-a/a/$name.ini /etc/php/8.4/mods-available/$name.ini
  php_invoke enmod 8.4 ALL ${name}
done
"""
CASES = {
    "what it needs comes too": (
        APACHE,
        "a2enmod -m -q auth_basic",
        "auth_basic.load -> ../mods-available/auth_basic.load\nauthn_core.load -> ../mods-available/authn_core.load",
    ),
    "settings come with a module": (
        APACHE,
        "a2enmod mime",
        "mime.conf -> ../mods-available/mime.conf\nmime.load -> ../mods-available/mime.load",
    ),
    "several": (
        APACHE,
        "a2enconf -q security; a2ensite 000-default",
        "security.conf -> ../conf-available/security.conf\n000-default.conf -> ../sites-available/000-default.conf",
    ),
    "what is not there is left out": (APACHE, "a2enmod nothing; a2enconf mime", ""),
    "circles end": (
        LIGHTTPD,
        "lighty-enable-mod cgi",
        "05-alias.conf -> ../conf-available/05-alias.conf\n05-env.conf -> ../conf-available/05-env.conf\n"
        "10-cgi.conf -> ../conf-available/10-cgi.conf",
    ),
    "each way to run PHP": (
        PHP,
        REGISTER,
        "15-ctype.ini -> /etc/php/8.4/mods-available/ctype.ini\n20-phar.ini -> /etc/php/8.4/mods-available/phar.ini\n"
        "15-ctype.ini -> /etc/php/8.4/mods-available/ctype.ini\n20-phar.ini -> /etc/php/8.4/mods-available/phar.ini",
    ),
    "a SAPI's own script adds nothing": (
        PHP,
        "for mod in $(phpquery -M -v 8.4); do php_invoke enmod 8.4 cli $mod; done",
        "",
    ),
    "another version": (PHP, "php_invoke enmod 8.3 ALL ctype", ""),
    "the alternative of the highest priority": (
        "etc/mysql/mariadb.cnf = x\netc/mysql/other.cnf = y\n",
        'h=/usr/share/mysql-common/configure-symlinks; $h install mariadb "/etc/mysql/mariadb.cnf"; '
        "update-alternatives --install /etc/mysql/my.cnf my.cnf /etc/mysql/other.cnf 100",
        "my.cnf -> /etc/mysql/mariadb.cnf\nmy.cnf -> /etc/alternatives/my.cnf",
    ),
}


def image(folder: Path, files: str, script: str, **parameters: Any) -> Composed:
    made = make_deb(files, {"Package": "a"}, {"postinst": f"#!/bin/sh\nset -e\n{script}\n"}, compression="none")
    return composed(folder, {"a": made}, **parameters)


def links(made: Composed) -> str:
    """Give the links that are made below /etc, without their folders."""
    lines = [made.line(entry) for entry in made.layers["system"] if entry.path.startswith("etc/") and entry.target]
    return "\n".join(
        line.partition(" etc/")[2].partition(" -> ")[0].rpartition("/")[2] + line[line.index(" -> ") :]
        for line in lines
    )


@pytest.mark.parametrize("name", CASES)
def test_what_is_enabled(tmp_path: Path, name: str) -> None:
    files, script, expected = CASES[name]
    assert links(image(tmp_path, files, script)) == expected


def test_lists_of_fonts_are_joined_for_ghostscript(tmp_path: Path) -> None:
    lists = """etc/ghostscript/fontmap.d/20b.conf = second\\n
etc/ghostscript/fontmap.d/10a.conf = first\\n
etc/ghostscript/fontmap.d/10a.conf.dpkg-old = old
"""
    assert "Fontmap" not in image(tmp_path, lists, "update-gsfontmap").text("system")
    made = image(tmp_path, f"{lists}usr/sbin/update-gsfontmap\n", "update-gsfontmap")
    assert made.file("var/lib/ghostscript/fonts/Fontmap") == "first\nsecond\n"
    assert made.file("var/lib/ghostscript/fonts/cidfmap") == ""


def test_what_the_image_excludes_is_not_enabled(tmp_path: Path) -> None:
    assert links(image(tmp_path, APACHE, "a2enmod mime", exclude=["/etc/apache2/mods-enabled/*.conf"])) == (
        "mime.load -> ../mods-available/mime.load"
    )
