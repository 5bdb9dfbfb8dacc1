"""Go: `go_toolchain` makes a compiler of locked debs, and compiles the standard library once for each platform.

    load("@distroless_rules//toolchains:go.bzl", "go_toolchain")

    go_toolchain(name = "go", archive = "@trixie")
"""

load("//rules:providers.bzl", "BuildRootInfo", "GoToolchainInfo")
load("//rules/private:build_root.bzl", "build_root")

_DEBS = ["coreutils", "dash", "findutils", "sed", "golang-go"]

# What compiles the same on every machine: no version control, no network, no newer Go fetched, no code of C.
_ENV = {
    "CGO_ENABLED": "0",
    "GOENV": "off",
    "GOFLAGS": "-trimpath -buildvcs=false",
    "GOPATH": "/tmp/go",
    "GOPROXY": "off",
    "GOSUMDB": "off",
    "GOTELEMETRY": "off",
    "GOTOOLCHAIN": "local",
    "HOME": "/tmp",
}

# Entries of the build cache say when they were made, 20 characters at the end: cmd/go/internal/cache/cache.go of Go.
_STANDARD_LIBRARY = """
export GOCACHE=$PWD/$1
go build std
rm -f $1/trim.txt $1/testexpire.txt
find $1 -name '*-a' -exec sed -i -E 's/ [ 0-9]{20}$/  1000000000000000000/' {} +
"""

def _go_toolchain(ctx):
    root = ctx.attr.root[BuildRootInfo]
    env = root.env | _ENV | {"GOOS": ctx.platform.os, "GOARCH": ctx.platform.architecture} | ctx.attr.env
    if ctx.platform.variant and ctx.platform.architecture == "arm":
        env["GOARM"] = ctx.platform.variant.removeprefix("v")
    library = ctx.actions.declare_directory(ctx.label.name + ".standard_library")
    ctx.actions.run_shell(
        command = _STANDARD_LIBRARY,
        arguments = [library.path],
        outputs = [library],
        root = root.tree,
        env = env,
        mnemonic = "GoStandardLibrary",
        progress_message = "Compiling the standard library of Go for " + ctx.platform.name,
    )
    return [
        DefaultInfo(files = depset([])),
        GoToolchainInfo(root = root.tree, built = root, env = env, standard_library = library),
    ]

go_toolchain_rule = rule(
    implementation = _go_toolchain,
    doc = "A Go compiler with its standard library; most people make one by the macro `go_toolchain`.",
    attrs = {
        "root": attr.label(mandatory = True, cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "The `build_root` with the compiler, a shell, coreutils, findutils and sed."),
        "env": attr.string_dict(doc = "Further environment variables of every command: `GOAMD64` and the like."),
    },
    provides = [GoToolchainInfo],
)

def go_toolchain(name, archive, debs = [], visibility = ["//visibility:public"], **options):
    """Declares a Go compiler of an archive's debs.

    Args:
        name: the target's name; `<name>_root` is the file system that it runs in.
        archive: `@trixie`, as labels have it.
        debs: labels of further debs that compilations need.
        visibility: who may use it.
        **options: of the rule: env.
    """
    build_root(
        name = name + "_root",
        debs = ["%s//%s" % (archive, deb) for deb in _DEBS] + debs,
    )
    go_toolchain_rule(
        name = name,
        root = ":" + name + "_root",
        visibility = visibility,
        **options
    )
