"""`py_library`, `py_binary` and `py_requirements`: Python, with wheels that a requirements file locks."""

load("//rules:providers.bzl", "PyInfo", "PyToolchainInfo", "RuntimeInfo")
load("//rules/private:files.bzl", "entry", "main_source", "source_entries")
load("//rules/private:roots.bzl", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

_MAIN = """\
import runpy
import site
import sys

here = sys.path[0]
sys.path[1:1] = [f"{here}/{folder}" for folder in %s]
site.addsitedir(f"{here}/site-packages")
%s
"""

def _info(ctx, srcs, data, trees):
    deps = [dep[PyInfo] for dep in ctx.attr.deps]
    package = ctx.label.package
    imports = ["/".join([part for part in (package, path) if part and path != "."]) for path in ctx.attr.imports]
    return PyInfo(
        files = depset(srcs + data, transitive = [dep.files for dep in deps]),
        imports = depset([path for path in imports if path], transitive = [dep.imports for dep in deps]),
        trees = depset(trees, transitive = [dep.trees for dep in deps]),
    )

def _py_library(ctx):
    return [
        DefaultInfo(files = depset(ctx.files.srcs)),
        _info(ctx, ctx.files.srcs, ctx.files.data, []),
    ]

def _py_requirements(ctx):
    toolchain = ctx.attr.toolchain[PyToolchainInfo]
    tree = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.tool(
        mnemonic = "Wheels",
        inputs = {"requirements": ctx.file.requirements} | ({"source": ctx.file.requirements_in} if ctx.file.requirements_in != None else {}),
        outputs = {"tree": tree},
        parameters = {
            "path": ctx.file.requirements.short_path,
            "source_path": ctx.file.requirements_in.short_path if ctx.file.requirements_in != None else "",
            "python": toolchain.version,
            "libc": toolchain.libc,
            "platform": ctx.platform.name,
        },
        progress_message = "Fetching the wheels of " + ctx.label.canonical,
        stage = "build",
    )
    return [
        DefaultInfo(files = depset([tree])),
        PyInfo(files = depset(), imports = depset(), trees = depset([tree])),
    ]

def _start(ctx):
    """The statement by which the program starts."""
    if bool(ctx.attr.main) == bool(ctx.attr.module):
        if ctx.attr.main:
            fail("give either main or module, not both")
        return _run_path(main_source(ctx, ["py"]))
    if ctx.attr.module:
        return "runpy.run_module(%s, run_name=\"__main__\", alter_sys=True)" % json.encode(ctx.attr.module)
    for file in ctx.files.srcs:
        if file.short_path == "/".join([part for part in (ctx.label.package, ctx.attr.main) if part]):
            return _run_path(file)
    fail("main is \"%s\", which is not in srcs" % ctx.attr.main)

def _run_path(file):
    return "sys.argv[0] = f\"{here}/%s\"\nsys.path[0] = f\"{here}/%s\"\nsys.path.insert(1, here)\nrunpy.run_path(sys.argv[0], run_name=\"__main__\")" % (
        file.short_path,
        file.short_path.rpartition("/")[0],
    )

def _py_binary(ctx):
    toolchain = ctx.attr.toolchain[PyToolchainInfo]
    info = _info(ctx, ctx.files.srcs, ctx.files.data, [])
    main = ctx.actions.declare_file(ctx.label.name + ".main.py")
    ctx.actions.write(main, _MAIN % (json.encode(info.imports.to_list()), _start(ctx)))
    label = ctx.label.canonical
    folder = ctx.attr.path or "/usr/local/lib/" + ctx.label.name
    entries = [entry(label, folder + "/__main__.py", "file", "", "0:0", file = main)]
    entries += source_entries(label, folder, info.files.to_list())
    for tree in info.trees.to_list():
        entries.append(entry(label, folder + "/site-packages", "tree", "", "0:0", file = tree))
    return [
        DefaultInfo(files = depset(ctx.files.srcs + [main])),
        info,
        runtime(
            ctx,
            entries = entries,
            debs = toolchain.debs,
            entrypoint = [toolchain.interpreter, folder],
        ),
    ]

_TOOLCHAIN = attr.label(default = "@distroless_rules//toolchains:python", providers = [PyToolchainInfo], doc = "The Python: a `py_toolchain`.")
_FILES = {
    "srcs": attr.label_list(allow_files = [".py", ".pyi"], doc = "Modules; imported from the workspace's root on, and from `imports`."),
    "data": attr.label_list(allow_files = True, doc = "Files that they read when they run, beside them."),
    "deps": attr.label_list(providers = [PyInfo], doc = "Libraries, and `py_requirements`."),
    "imports": attr.string_list(doc = "Folders of the package from which modules are imported too."),
}

py_library = rule(
    implementation = _py_library,
    doc = "Modules of Python.",
    attrs = _FILES,
    provides = [PyInfo],
)

py_requirements = rule(
    implementation = _py_requirements,
    doc = "Wheels that a requirements file names with `--hash`, as pip-compile and uv write it; fetched by pip as it is set up here.",
    attrs = {
        "requirements": attr.label(mandatory = True, allow_single_file = [".txt"], stage = "build", doc = "The file; it names everything that is needed."),
        "requirements_in": attr.label(allow_single_file = True, stage = "build", doc = "What it was made from, to see that it fits: requirements.in."),
        "toolchain": _TOOLCHAIN,
    },
    provides = [PyInfo],
)

def _py_test(ctx):
    return tested(ctx, _py_binary(ctx))

_PROGRAM = _FILES | {
    "main": attr.string(doc = "The file that runs; `<name>.py`, or the only one, without it."),
    "module": attr.string(doc = "In place of `main` a module that runs, as by `python -m`: of a wheel for example."),
    "path": attr.string(doc = "The folder in an image; `/usr/local/lib/<name>` without it."),
    "toolchain": _TOOLCHAIN,
}

py_binary = rule(
    implementation = _py_binary,
    doc = "A program of Python: in an image a folder that the interpreter starts, with its modules and wheels.",
    attrs = _PROGRAM,
    executable = True,
    provides = [PyInfo, RuntimeInfo],
)

py_test = rule(
    implementation = _py_test,
    doc = "A program of Python that passes by ending with exit status 0.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [PyInfo, RuntimeInfo],
)
