"""Imports every module of the standard library; the last line printed says which could not be, as JSON."""

import importlib
import json
import os
import pkgutil
import sys
import sysconfig
import warnings

warnings.simplefilter("ignore")


def names():
    """Give every module: what Python says of itself, and what is in its folders."""
    folder = sysconfig.get_path("stdlib")
    here = [folder, os.path.join(folder, "lib-dynload")]
    found = {module.name for module in pkgutil.iter_modules(here)} | set(sys.stdlib_module_names)
    packages = [name for name in found if os.path.isdir(os.path.join(folder, name))]
    for package in packages:
        places = [os.path.join(folder, package)]
        found.update(module.name for module in pkgutil.walk_packages(places, package + "."))
    return sorted(name for name in found if not name.endswith("__main__"))


def main():
    """Import them all; a module that cannot be imported is no reason to stop."""
    failed, tried = {}, names()
    for name in tried:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001, PERF203 - modules may end the program
            failed[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"tried": len(tried), "failed": failed, "version": sys.version.split()[0]}))


main()
