"""`@archive//name`: a Debian package; its targets are made from the lock, not declared in BUILD files."""

load("//rules:providers.bzl", "DebInfo")

def _deb(ctx):
    return [
        DefaultInfo(files = depset([])),
        DebInfo(archive = ctx.attr.archive, name = ctx.attr.deb, version = ctx.attr.version),
    ]

deb = rule(
    implementation = _deb,
    doc = "A Debian package that the lock fixes.",
    attrs = {
        "archive": attr.string(doc = "The archive's name."),
        "deb": attr.string(doc = "The binary package's name."),
        "version": attr.string(doc = "Its version."),
    },
    provides = [DebInfo],
)
