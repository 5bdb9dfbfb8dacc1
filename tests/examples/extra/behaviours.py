"""What Python's standard library does with what is below it, each thing a line of JSON: libraries, data, devices."""

import asyncio
import bz2
import codecs
import concurrent.futures
import ctypes
import curses
import dbm.dumb
import dbm.ndbm
import decimal
import encodings
import getpass
import gettext
import grp
import gzip
import hashlib
import json
import locale
import lzma
import mimetypes
import mmap
import multiprocessing
import os
import pkgutil
import pty
import pwd
import readline
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
import uuid
import xml.dom.minidom
import xml.etree.ElementTree
import zipfile
import zlib
import zoneinfo

TEXT = b"what was packed " * 100


def databases():
    """Use SQLite with its extensions, and the databases of dbm."""
    with sqlite3.connect(":memory:") as base:
        base.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
        base.execute("INSERT INTO t VALUES ('running dogs')")
        rows = base.execute("""SELECT count(*), json_extract('{"a": [1, 2]}', '$.a[1]') FROM t WHERE t MATCH 'dogs'""")
        return rows.fetchone()


def keyed(module):
    """Write and read a database of dbm."""
    with tempfile.TemporaryDirectory() as folder:
        with module.open(f"{folder}/d", "c") as base:
            base[b"a"] = b"b"
        with module.open(f"{folder}/d", "r") as base:
            return base[b"a"].decode()


def handshake():
    """Hold a TLS conversation with oneself, in memory; nobody vouches for anybody."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.set_ciphers("aNULL:@SECLEVEL=0")
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("aNULL:@SECLEVEL=0")
    server.maximum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(one, other), server.wrap_bio(other, one, server_side=True)]
    done = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:  # noqa: PERF203 - each end waits for the other
                pass
    return len(done), ends[0].version()


def texts():
    """Encode a letter in every encoding of text that there is."""
    failed = []
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            info = codecs.lookup(module.name)
        except LookupError:
            continue
        if not info._is_text_encoding or module.name in ("undefined", "mbcs", "oem"):
            continue
        if info.decode(info.encode("a")[0])[0].strip("\ufeff") != "a":
            failed.append(module.name)
    return failed


def zones():
    """Read zones by both ways: Python's own and the C library's."""
    there = zoneinfo.ZoneInfo("Asia/Kathmandu").utcoffset(None or __import__("datetime").datetime(2024, 1, 1))
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    return str(there), time.tzname


def terminal():
    """Describe a terminal, and open one."""
    curses.setupterm("xterm-256color", os.open("/dev/null", os.O_WRONLY))
    main, other = pty.openpty()
    return curses.tigetnum("colors"), os.isatty(main), os.isatty(other)


async def asked():
    """Serve and ask on loopback."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
    return await reader.read()


DOES = {
    "asyncio": lambda: asyncio.run(asked()) == b"",
    "bz2": lambda: bz2.decompress(bz2.compress(TEXT)) == TEXT,
    "ctypes": lambda: ctypes.CDLL("libc.so.6").getpid() == os.getpid(),
    "ctypes, callbacks": lambda: ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(1),
    "dbm.dumb": lambda: keyed(dbm.dumb),
    "dbm.ndbm": lambda: keyed(dbm.ndbm),
    "decimal": lambda: (str(decimal.Decimal(2).sqrt()), hasattr(decimal, "HAVE_THREADS")),
    "encodings": texts,
    "getpass": lambda: getpass.getuser(),
    "gettext": lambda: gettext.gettext("a"),
    "grp": lambda: grp.getgrgid(0).gr_name,
    "gzip": lambda: gzip.decompress(gzip.compress(TEXT)) == TEXT,
    "hashlib": lambda: sorted(name for name in hashlib.algorithms_available if hashlib.new(name)),
    "hashlib, keys": lambda: hashlib.scrypt(b"a", salt=b"b", n=2, r=8, p=1).hex()[:8],
    "idna": lambda: "bücher.example".encode("idna").decode(),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "locale, default": lambda: locale.setlocale(locale.LC_ALL, ""),
    "lzma": lambda: lzma.decompress(lzma.compress(TEXT)) == TEXT,
    "mimetypes": lambda: mimetypes.guess_type("a.html"),
    "mmap": lambda: len(mmap.mmap(-1, 4096)),
    "multiprocessing": lambda: multiprocessing.get_context("fork").Pool(2).map(abs, [-1, -2]),
    "multiprocessing, spawned": lambda: multiprocessing.get_context("spawn").Pool(1).map(abs, [-3]),
    "names": lambda: sorted({found[4][0] for found in socket.getaddrinfo("localhost", 80, socket.AF_INET)}),
    "processes": lambda: list(concurrent.futures.ProcessPoolExecutor(1).map(abs, [-4])),
    "pwd": lambda: pwd.getpwuid(0).pw_dir,
    "readline": lambda: readline.parse_and_bind("tab: complete"),
    "sqlite3": databases,
    "ssl": handshake,
    "ssl, authorities": lambda: len(ssl.create_default_context().get_ca_certs()) > 100,
    "ssl, library": lambda: ssl.OPENSSL_VERSION,
    "subprocess": lambda: (
        subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"
    ),
    "terminals": terminal,
    "threads": lambda: threading.Thread(target=sys.exit).start(),
    "unicodedata": lambda: unicodedata.name("é"),
    "uuid": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "a").hex,
    "xml": lambda: xml.dom.minidom.parseString("<a>b</a>").toxml(),
    "xml, trees": lambda: xml.etree.ElementTree.fromstring("<a><b/></a>")[0].tag,
    "zip": lambda: zipfile.ZIP_LZMA,
    "zlib": lambda: zlib.crc32(zlib.compress(TEXT)) > 0,
    "zones": zones,
}

if __name__ == "__main__":
    found = {}
    for name, does in DOES.items():
        try:
            found[name] = does()
        except Exception as error:  # noqa: BLE001, PERF203 - what fails is what is asked
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found, sort_keys=True))
