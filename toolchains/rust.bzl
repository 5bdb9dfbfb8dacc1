"""Rust: `rust_toolchain` makes a compiler of locked debs, for this machine and for the others that Debian crosses to.

    load("@distroless_rules//toolchains:rust.bzl", "rust_toolchain")

    rust_toolchain(name = "rust", archive = "@trixie")
"""

load("//rules:providers.bzl", "BuildRootInfo", "DebInfo", "RustToolchainInfo")
load("//rules/private:build_root.bzl", "build_root")

_DEBS = ["cargo", "coreutils", "dash", "rustc"]
_NATIVE = ["gcc", "libc6-dev"]
_CROSS = {
    "linux/amd64": ("x86-64", ["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"], "x86_64-linux-gnu-gcc"),
    "linux/arm64": ("aarch64", ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"], "aarch64-linux-gnu-gcc"),
}
_TRIPLES = {
    "linux/amd64": "x86_64-unknown-linux-gnu",
    "linux/arm64": "aarch64-unknown-linux-gnu",
}
_RUNTIME = ["libc6", "libgcc-s1"]

# No path of the machine, one result whatever runs beside, and the hardening of Debian's own packages.
_RUSTC_FLAGS = [
    "-Ccodegen-units=1",
    "-Copt-level=3",
    "-Clink-arg=-Wl,-z,relro,-z,now",
    "--remap-path-prefix=/build=.",
]

def _rust_toolchain(ctx):
    platform = ctx.platform.name
    if platform not in _TRIPLES:
        fail("%s compiles for %s, not for %s" % (ctx.label.canonical, " and ".join(_TRIPLES.keys()), platform))
    root = ctx.attr.root[BuildRootInfo]
    linker = "gcc"
    sysroot = None
    if platform != ctx.exec_platform.name:
        root = [dep[BuildRootInfo] for dep, name in ctx.attr.cross.items() if name == platform][0]
        linker = _CROSS[platform][2]
        sysroot = ctx.attr.standard_library[BuildRootInfo].tree
    return [
        DefaultInfo(files = depset([])),
        RustToolchainInfo(
            root = root.tree,
            built = root,
            env = root.env,
            triple = _TRIPLES[platform],
            linker = linker,
            sysroot = sysroot,
            flags = ctx.attr.flags,
            debs = [dep[DebInfo] for dep in ctx.attr.debs],
        ),
    ]

rust_toolchain_rule = rule(
    implementation = _rust_toolchain,
    doc = "A Rust compiler with cargo; most people make one by the macro `rust_toolchain`.",
    attrs = {
        "root": attr.label(mandatory = True, cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "The `build_root` with the compiler and the machine's own linker."),
        "cross": attr.label_keyed_string_dict(cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "From the `build_root` with a linker for another platform to the platform."),
        "standard_library": attr.label(mandatory = True, providers = [BuildRootInfo], stage = "build", doc = "The `build_root` with the standard library of the platform that is compiled for."),
        "flags": attr.string_list(default = _RUSTC_FLAGS, doc = "Options of every compilation."),
        "debs": attr.label_list(providers = [DebInfo], doc = "Debs that programs need when they run."),
    },
    provides = [RustToolchainInfo],
)

def rust_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares a Rust compiler of an archive's debs.

    Args:
        name: the target's name; `<name>_root` and the like are the file systems that it runs in.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that compilations need.
        visibility: who may use it.
        **options: of the rule: flags.
    """
    build_root(
        name = name + "_root",
        debs = ["%s//%s" % (archive, deb) for deb in _DEBS + _NATIVE] + debs,
    )
    for short, linker, _ in _CROSS.values():
        build_root(
            name = "%s_root_to_%s" % (name, short),
            debs = ["%s//%s" % (archive, deb) for deb in _DEBS + linker] + debs,
        )
    build_root(
        name = name + "_standard_library",
        debs = [archive + "//libstd-rust-dev"],
    )
    rust_toolchain_rule(
        name = name,
        cross = {":%s_root_to_%s" % (name, short): platform for platform, (short, _, _) in _CROSS.items()},
        debs = ["%s//%s" % (archive, deb) for deb in _RUNTIME],
        root = ":" + name + "_root",
        standard_library = ":" + name + "_standard_library",
        visibility = visibility,
        **options
    )
