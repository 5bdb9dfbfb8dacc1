"""Node: `node_toolchain` says which Node programs run with.

    load("@distroless_rules//toolchains:node.bzl", "node_toolchain")

    node_toolchain(name = "node", archive = "@bookworm")
"""

load("//rules:providers.bzl", "DebInfo", "NodeToolchainInfo")

def _node_toolchain(ctx):
    return [
        DefaultInfo(files = depset([])),
        NodeToolchainInfo(
            debs = [dep[DebInfo] for dep in ctx.attr.debs],
            interpreter = ctx.attr.interpreter,
        ),
    ]

node_toolchain_rule = rule(
    implementation = _node_toolchain,
    doc = "A Node; most people make one by the macro `node_toolchain`.",
    attrs = {
        "debs": attr.label_list(mandatory = True, providers = [DebInfo], doc = "Debs that every program needs: Node itself first."),
        "interpreter": attr.string(default = "/usr/bin/node", doc = "The Node in an image."),
    },
    provides = [NodeToolchainInfo],
)

def node_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares the Node of an archive.

    Args:
        name: the target's name.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that every program needs.
        visibility: who may use it.
        **options: of the rule: interpreter.
    """
    node_toolchain_rule(
        name = name,
        debs = [archive + "//nodejs"] + debs,
        visibility = visibility,
        **options
    )
