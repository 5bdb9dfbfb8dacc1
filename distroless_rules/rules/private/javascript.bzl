"""`js_library`, `js_binary` and `npm_packages`: JavaScript for Node, with packages that package-lock.json locks."""

load("//rules:providers.bzl", "JsInfo", "NodeToolchainInfo", "RuntimeInfo")
load("//rules/private:files.bzl", "entry", "main_source", "source_entries")
load("//rules/private:roots.bzl", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

def _info(ctx):
    deps = [dep[JsInfo] for dep in ctx.attr.deps]
    return JsInfo(
        files = depset(ctx.files.srcs + ctx.files.data, transitive = [dep.files for dep in deps]),
        trees = depset(transitive = [dep.trees for dep in deps]),
    )

def _js_library(ctx):
    return [DefaultInfo(files = depset(ctx.files.srcs)), _info(ctx)]

def _npm_packages(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name + "/node_modules")
    inputs = {"lock": ctx.file.package_lock}
    if ctx.file.package_json != None:
        inputs["manifest"] = ctx.file.package_json
    ctx.actions.tool(
        mnemonic = "NodeModules",
        inputs = inputs,
        outputs = {"tree": tree},
        parameters = {"path": ctx.file.package_lock.short_path, "platform": ctx.platform.name, "dev": ctx.attr.dev},
        progress_message = "Fetching the packages of " + ctx.label.canonical,
        stage = "build",
    )
    return [
        DefaultInfo(files = depset([tree])),
        JsInfo(files = depset(), trees = depset([tree])),
    ]

def _main(ctx):
    """The path of the file that runs, below the folder of the program."""
    main = ctx.attr.main
    if main.startswith("node_modules/"):
        return main
    if not main:
        return main_source(ctx, ["js", "mjs", "cjs"]).short_path
    path = "/".join([part for part in (ctx.label.package, main) if part])
    for file in ctx.files.srcs:
        if file.short_path == path or file.is_directory and path.startswith(file.short_path + "/"):
            return path
    fail("main is \"%s\", which is not in srcs" % main)

def _js_binary(ctx):
    toolchain = ctx.attr.toolchain[NodeToolchainInfo]
    main = _main(ctx)
    info = _info(ctx)
    label = ctx.label.canonical
    folder = ctx.attr.path or "/usr/local/lib/" + ctx.label.name
    entries = source_entries(label, folder, info.files.to_list())
    for tree in info.trees.to_list():
        entries.append(entry(label, folder + "/node_modules", "tree", "", "0:0", file = tree))
    return [
        DefaultInfo(files = depset(ctx.files.srcs)),
        info,
        runtime(
            ctx,
            entries = entries,
            debs = toolchain.debs,
            entrypoint = [toolchain.interpreter] + ctx.attr.node_options + ["%s/%s" % (folder, main)],
        ),
    ]

_FILES = {
    "srcs": attr.label_list(allow_files = True, doc = "Modules, and their package.json if one says how they are read."),
    "data": attr.label_list(allow_files = True, doc = "Files that they read when they run, beside them."),
    "deps": attr.label_list(providers = [JsInfo], doc = "Libraries, and `npm_packages`."),
}

js_library = rule(
    implementation = _js_library,
    doc = "Modules of JavaScript.",
    attrs = _FILES,
    provides = [JsInfo],
)

npm_packages = rule(
    implementation = _npm_packages,
    doc = "The folder `node_modules` that a package-lock.json describes, integrity checked; no script of a package runs.",
    attrs = {
        "package_lock": attr.label(mandatory = True, allow_single_file = [".json"], stage = "build", doc = "package-lock.json, of npm 7 or later."),
        "package_json": attr.label(allow_single_file = [".json"], stage = "build", doc = "package.json, to see that the lock fits it."),
        "dev": attr.bool(doc = "Whether what is needed for development only is there too."),
    },
    provides = [JsInfo],
)

def _js_test(ctx):
    return tested(ctx, _js_binary(ctx))

_PROGRAM = _FILES | {
    "main": attr.string(doc = "The file that runs: below the BUILD file, or `node_modules/...`; `<name>.js`, or the only one, without it."),
    "node_options": attr.string_list(doc = "Options of Node."),
    "path": attr.string(doc = "The folder in an image; `/usr/local/lib/<name>` without it."),
    "toolchain": attr.label(default = "@distroless_rules//toolchains:node", providers = [NodeToolchainInfo], doc = "The Node: a `node_toolchain`."),
}

js_binary = rule(
    implementation = _js_binary,
    doc = "A program for Node: in an image a folder with its modules and packages.",
    attrs = _PROGRAM,
    executable = True,
    provides = [JsInfo, RuntimeInfo],
)

js_test = rule(
    implementation = _js_test,
    doc = "A program for Node that passes by ending with exit status 0.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [JsInfo, RuntimeInfo],
)
