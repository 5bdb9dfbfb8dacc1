"""Python: `py_toolchain` says which interpreter programs run with, and so which wheels fit.

    load("@distroless_rules//toolchains:python.bzl", "py_toolchain")

    py_toolchain(name = "python", archive = "@bookworm")
"""

load("//rules:providers.bzl", "DebInfo", "PyToolchainInfo")

def _upstream(deb):
    """The version that a deb's version begins with: `3.13.5` of `3.13.5-1`."""
    version = deb.version.partition(":")[2] or deb.version
    found = ""
    for letter in version.elems():
        if not letter.isdigit() and letter != ".":
            break
        found += letter
    return found.rstrip(".")

def _py_toolchain(ctx):
    return [
        DefaultInfo(files = depset([])),
        PyToolchainInfo(
            debs = [dep[DebInfo] for dep in [ctx.attr.python] + ctx.attr.debs],
            interpreter = ctx.attr.interpreter,
            version = _upstream(ctx.attr.python[DebInfo]),
            libc = _upstream(ctx.attr.libc[DebInfo]),
        ),
    ]

py_toolchain_rule = rule(
    implementation = _py_toolchain,
    doc = "A Python interpreter; most people make one by the macro `py_toolchain`.",
    attrs = {
        "python": attr.label(mandatory = True, providers = [DebInfo], doc = "The deb of the interpreter; wheels are for its version."),
        "libc": attr.label(mandatory = True, providers = [DebInfo], doc = "The deb of the C library that binary wheels must fit."),
        "debs": attr.label_list(providers = [DebInfo], doc = "Further debs that every program needs."),
        "interpreter": attr.string(default = "/usr/bin/python3", doc = "The interpreter."),
    },
    provides = [PyToolchainInfo],
)

def py_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares the interpreter of an archive.

    Args:
        name: the target's name.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that every program needs.
        visibility: who may use it.
        **options: of the rule: interpreter.
    """
    py_toolchain_rule(
        name = name,
        debs = debs,
        libc = archive + "//libc6",
        python = archive + "//python3",
        visibility = visibility,
        **options
    )
