"""C and C++: `cc_toolchain` makes a compiler of locked debs.

    load("@distroless_rules//toolchains:cc.bzl", "cc_toolchain")

    cc_toolchain(name = "cc", archive = "@trixie")
"""

load("//rules:providers.bzl", "BuildRootInfo", "CcToolchainInfo", "DebInfo")
load("//rules/private:build_root.bzl", "build_root")

# In every root; the compiler and the C library for what is built come from the lists below.
_DEBS = ["coreutils", "dash", "make", "sed"]
_NATIVE = ["g++", "gcc", "libc6-dev"]
_CROSS = {
    "linux/amd64": ("x86-64", ["g++-x86-64-linux-gnu", "gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"], "x86_64-linux-gnu-"),
    "linux/arm64": ("aarch64", ["g++-aarch64-linux-gnu", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"], "aarch64-linux-gnu-"),
}
_C_RUNTIME = ["libc6"]
_CXX_RUNTIME = ["libc6", "libgcc-s1", "libstdc++6"]

# What Debian's own packages are compiled with, dpkg-buildflags(1), and what keeps results independent of their place.
_COPTS = ["-O2", "-fPIE", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-ffile-prefix-map=/build=."]
_LINKOPTS = ["-pie", "-Wl,-z,relro,-z,now", "-Wl,--as-needed"]

def _root(ctx):
    """The root with a compiler for the platform, and the prefix of its tools' names."""
    if ctx.platform.name == ctx.exec_platform.name:
        return ctx.attr.root[BuildRootInfo], ""
    for dep, platform in ctx.attr.cross.items():
        if platform == ctx.platform.name:
            return dep[BuildRootInfo], _CROSS[platform][2]
    fail("%s compiles for %s on %s, not for %s" % (
        ctx.label.canonical,
        " and ".join([ctx.exec_platform.name] + [each for each in ctx.attr.cross.values() if each != ctx.exec_platform.name]),
        ctx.exec_platform.name,
        ctx.platform.name,
    ))

def _cc_toolchain(ctx):
    root, prefix = _root(ctx)
    return [
        DefaultInfo(files = depset([])),
        CcToolchainInfo(
            root = root.tree,
            built = root,
            env = root.env,
            cc = prefix + ctx.attr.cc,
            cxx = prefix + ctx.attr.cxx,
            ar = prefix + ctx.attr.ar,
            copts = ctx.attr.copts,
            linkopts = ctx.attr.linkopts,
            c_debs = [dep[DebInfo] for dep in ctx.attr.c_debs],
            cxx_debs = [dep[DebInfo] for dep in ctx.attr.cxx_debs],
        ),
    ]

cc_toolchain_rule = rule(
    implementation = _cc_toolchain,
    doc = "A C and C++ compiler; most people make one by the macro `cc_toolchain`.",
    attrs = {
        "root": attr.label(mandatory = True, cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "The `build_root` with the machine's own compiler."),
        "cross": attr.label_keyed_string_dict(cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "From the `build_root` of a cross compiler to the platform that it compiles for."),
        "cc": attr.string(default = "gcc", doc = "The C compiler in it."),
        "cxx": attr.string(default = "g++", doc = "The C++ compiler in it."),
        "ar": attr.string(default = "ar", doc = "The archiver in it."),
        "copts": attr.string_list(default = _COPTS, doc = "Options of every compilation."),
        "linkopts": attr.string_list(default = _LINKOPTS, doc = "Options of every link."),
        "c_debs": attr.label_list(providers = [DebInfo], doc = "Debs that programs in C need when they run."),
        "cxx_debs": attr.label_list(providers = [DebInfo], doc = "Debs that programs in C++ need when they run."),
    },
    provides = [CcToolchainInfo],
)

def cc_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares a compiler of an archive's debs.

    Args:
        name: the target's name; `<name>_root` and the like are the file systems that its compilers run in.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that compilations need: `@trixie//libssl-dev`.
        visibility: who may use it.
        **options: of the rule: copts, linkopts and so on.
    """
    build_root(
        name = name + "_root",
        debs = ["%s//%s" % (archive, deb) for deb in _DEBS + _NATIVE] + debs,
    )
    for short, compiler, _ in _CROSS.values():
        build_root(
            name = "%s_root_to_%s" % (name, short),
            debs = ["%s//%s" % (archive, deb) for deb in _DEBS + compiler] + debs,
        )
    cc_toolchain_rule(
        name = name,
        c_debs = ["%s//%s" % (archive, deb) for deb in _C_RUNTIME],
        cxx_debs = ["%s//%s" % (archive, deb) for deb in _CXX_RUNTIME],
        cross = {":%s_root_to_%s" % (name, short): platform for platform, (short, _, _) in _CROSS.items()},
        root = ":" + name + "_root",
        visibility = visibility,
        **options
    )
