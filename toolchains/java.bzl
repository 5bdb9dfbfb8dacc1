"""Java: `java_toolchain` makes a compiler of locked debs; what it compiles runs on every platform.

    load("@distroless_rules//toolchains:java.bzl", "java_toolchain")

    java_toolchain(name = "java", archive = "@bookworm")
"""

load("//rules:providers.bzl", "BuildRootInfo", "DebInfo", "JavaToolchainInfo")
load("//rules/private:build_root.bzl", "build_root")

_DEBS = ["coreutils", "dash", "default-jdk-headless", "findutils", "sed"]

def _java_toolchain(ctx):
    root = ctx.attr.root[BuildRootInfo]
    return [
        DefaultInfo(files = depset([])),
        JavaToolchainInfo(
            root = root.tree,
            env = root.env,
            javacopts = ctx.attr.javacopts,
            java = ctx.attr.java,
            debs = [dep[DebInfo] for dep in ctx.attr.debs],
        ),
    ]

java_toolchain_rule = rule(
    implementation = _java_toolchain,
    doc = "A Java compiler, and the Java that its programs run with; most people make one by the macro `java_toolchain`.",
    attrs = {
        "root": attr.label(mandatory = True, cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "The `build_root` with the JDK, a shell, coreutils and findutils."),
        "javacopts": attr.string_list(default = ["-encoding", "UTF-8", "-g", "-proc:none"], doc = "Options of every compilation."),
        "java": attr.string(default = "/usr/bin/java", doc = "The Java of the image."),
        "debs": attr.label_list(providers = [DebInfo], doc = "Debs that programs need when they run."),
    },
    provides = [JavaToolchainInfo],
)

def java_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares the JDK that is an archive's default, and its run-time environment.

    Args:
        name: the target's name; `<name>_root` is the file system that the compiler runs in.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that compilations need.
        visibility: who may use it.
        **options: of the rule: javacopts.
    """
    build_root(
        name = name + "_root",
        debs = ["%s//%s" % (archive, deb) for deb in _DEBS] + debs,
    )
    java_toolchain_rule(
        name = name,
        debs = [archive + "//default-jre-headless"],
        root = ":" + name + "_root",
        visibility = visibility,
        **options
    )
