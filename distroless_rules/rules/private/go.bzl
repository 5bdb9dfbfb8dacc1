"""`go_library` and `go_binary`: programs of Go, of a module with vendored modules or of the standard library alone."""

load("//rules:providers.bzl", "GoInfo", "GoToolchainInfo", "RuntimeInfo")
load("//rules/private:files.bzl", "data_entries", "entry")
load("//rules/private:roots.bzl", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

# The build cache must be writable: links to what the toolchain compiled, in a folder of the command's own.
# Messages have the paths that go sees, from the module's folder on; people see theirs from the workspace on.
_BUILD = """
mkdir /tmp/cache
cp -rs "$PWD/$1/." /tmp/cache/
export GOCACHE=/tmp/cache
out=$PWD/$2
module=$3
shift 3
cd "$module"
case $1 in
    test) shift; set -- test -c -vet=off -o "$out" "$@" ;;
    build) shift; set -- build -o "$out" "$@" ;;
esac
go "$@" 2>/tmp/messages && exit
sed -E "s|^(\\./)?([^ :]+\\.go:[0-9])|${module#.}/\\2|; s|^/||" /tmp/messages >&2
exit 1
"""

def _sources(ctx):
    return depset(ctx.files.srcs + ctx.files.resources, transitive = [dep[GoInfo].sources for dep in ctx.attr.deps])

def _go_library(ctx):
    return [
        DefaultInfo(files = depset(ctx.files.srcs)),
        GoInfo(sources = _sources(ctx)),
    ]

def _module(ctx, sources):
    """The folder of the innermost go.mod at or above the target's package; None if there is none."""
    folder = None
    for file in sources:
        if file.basename == "go.mod" and not "/vendor/" in "/" + file.path:
            above = file.dirname or "."
            if above == "." or (ctx.label.package + "/").startswith(above + "/"):
                if folder == None or len(above) > len(folder) or folder == ".":
                    folder = above
    return folder

def _main(ctx, module, tests):
    """The arguments that name the main package: its folder in the module, or its files."""
    if module != None:
        below = ctx.label.package if module == "." else ctx.label.package[len(module) + 1:]
        parts = [part for part in (below, ctx.attr.main.removeprefix("./")) if part and part != "."]
        return ["./" + "/".join(parts)]
    if ctx.attr.main != ".":
        fail("there is no go.mod among the sources, in which \"main\" could be looked for")
    files = [file for file in ctx.files.srcs if file.extension == "go" and (tests or not file.basename.endswith("_test.go"))]
    for file in files:
        if file.dirname != files[0].dirname:
            fail("%s and %s are in different folders; packages of one program need a go.mod" % (files[0].short_path, file.short_path))
    return [file.basename for file in files]

def _go_program(ctx, verb):
    toolchain = ctx.attr.toolchain[GoToolchainInfo]
    sources = _sources(ctx)
    module = _module(ctx, sources.to_list())
    main = _main(ctx, module, verb == "test")
    if not main:
        fail("there is no source of Go in srcs")
    out = ctx.actions.declare_file(ctx.label.name)
    ldflags = ["-buildid="] + (["-s", "-w"] if ctx.attr.strip else [])
    ldflags += ["-X '%s=%s'" % (name, value) for name, value in ctx.attr.x_defs.items()]
    args = ctx.actions.args()
    args.add(toolchain.standard_library)
    args.add(out)
    folders = [file.dirname for file in ctx.files.srcs if file.extension == "go"]
    args.add(module if module != None else folders[0] or ".")
    args.add(verb)
    args.add("-ldflags=" + " ".join(ldflags))
    if ctx.attr.build_tags:
        args.add("-tags=" + ",".join(ctx.attr.build_tags))
    args.add_all(ctx.attr.gc_goopts, format_each = "-gcflags=%s")
    args.add_all(main)
    ctx.actions.run_shell(
        command = _BUILD,
        arguments = [args],
        inputs = depset([toolchain.standard_library], transitive = [sources]),
        outputs = [out],
        root = toolchain.root,
        env = toolchain.env,
        mnemonic = "GoBuild",
        progress_message = "Compiling " + out.short_path,
    )
    path = ctx.attr.path or "/usr/local/bin/" + ctx.label.name
    return [
        DefaultInfo(files = depset([out]), executable = out),
        runtime(
            ctx,
            entries = [entry(ctx.label.canonical, path, "file", "0755", "0:0", file = out)] + data_entries(ctx),
            debs = [],
            entrypoint = [path],
        ),
    ]

_SOURCES = {
    "srcs": attr.label_list(allow_files = True, stage = "build", doc = "Sources; of a module go.mod, go.sum and what is in vendor/ too."),
    "resources": attr.label_list(allow_files = True, stage = "build", doc = "Files that `//go:embed` names."),
    "deps": attr.label_list(providers = [GoInfo], stage = "build", doc = "Packages of the module that other BUILD files declare."),
}

go_library = rule(
    implementation = _go_library,
    doc = "Packages of a Go module for programs in other BUILD files; they are compiled with the program.",
    attrs = _SOURCES,
    provides = [GoInfo],
)

def _go_binary(ctx):
    return _go_program(ctx, "build")

def _go_test(ctx):
    return tested(ctx, _go_program(ctx, "test"))

_PROGRAM = _SOURCES | {
    "main": attr.string(default = ".", doc = "The folder of the main package, below the BUILD file's."),
    "build_tags": attr.string_list(doc = "Build constraints that hold."),
    "x_defs": attr.string_dict(doc = "From `package.variable` to the text that it begins with."),
    "gc_goopts": attr.string_list(doc = "Options of the compiler."),
    "strip": attr.bool(default = True, doc = "Whether symbols are left out."),
    "path": attr.string(doc = "Where it is in an image; `/usr/local/bin/<name>` without it."),
    "data": attr.label_list(allow_files = True, doc = "Files that it reads when it runs; in an image below `/usr/local/share/<name>`, as below the BUILD file."),
    "toolchain": attr.label(default = "@distroless_rules//toolchains:go", providers = [GoToolchainInfo], stage = "build", doc = "The compiler: a `go_toolchain`."),
}

go_binary = rule(
    implementation = _go_binary,
    doc = "A program of Go, linked statically: of a module, with modules in vendor/, or of files that import the standard library alone.",
    attrs = _PROGRAM,
    executable = True,
    provides = [RuntimeInfo],
)

go_test = rule(
    implementation = _go_test,
    doc = "Tests of a Go package, those in `_test.go` files.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [RuntimeInfo],
)
