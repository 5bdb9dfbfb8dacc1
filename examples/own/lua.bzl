"""A rule, a provider, a toolchain and a macro of one's own: programs of Lua, compiled in the build stage.

Nothing here is known to distroless-rules; it is written as its own rules are.
"""

load("@distroless_rules//rules:authoring.bzl", "TEST_ATTRIBUTES", "entry", "runtime", "test_info")
load("@distroless_rules//rules:defs.bzl", "BuildRootInfo", "DebInfo", "RuntimeInfo", "build_root", "distroless_image")

LuaInfo = provider(
    doc = "Modules of Lua.",
    fields = {
        "modules": "A depset of structs: name, as `require` has it, and file, compiled.",
    },
)

LuaToolchainInfo = provider(
    doc = "A compiler and an interpreter of Lua.",
    fields = ["root", "env", "compiler", "interpreter", "version", "debs"],
)

def _lua_toolchain(ctx):
    root = ctx.attr.root[BuildRootInfo]
    return [LuaToolchainInfo(
        root = root.tree,
        env = root.env,
        compiler = "luac" + ctx.attr.version,
        interpreter = "/usr/bin/lua" + ctx.attr.version,
        version = ctx.attr.version,
        debs = [dep[DebInfo] for dep in ctx.attr.debs],
    )]

lua_toolchain_rule = rule(
    implementation = _lua_toolchain,
    doc = "A compiler and an interpreter of Lua.",
    attrs = {
        "root": attr.label(mandatory = True, cfg = "exec", providers = [BuildRootInfo], stage = "build", doc = "The file system with the compiler."),
        "debs": attr.label_list(providers = [DebInfo], doc = "What programs need when they run."),
        "version": attr.string(mandatory = True, doc = "`5.4`."),
    },
    provides = [LuaToolchainInfo],
)

def lua_toolchain(name, archive, version):
    """Declares the Lua of an archive.

    Args:
        name: the target's name.
        archive: `@trixie`, as labels have it.
        version: `5.4`.
    """
    deb = "%s//lua%s" % (archive, version)
    build_root(name = name + "_root", debs = [deb])
    lua_toolchain_rule(
        name = name,
        debs = [deb],
        root = ":" + name + "_root",
        version = version,
    )

def _compiled(ctx, toolchain):
    """Compiles each source; gives the modules."""
    modules = []
    for source in ctx.files.srcs:
        name = source.short_path.removeprefix(ctx.label.package + "/").removesuffix(".lua")
        out = ctx.actions.declare_file(name + ".luac")
        args = ctx.actions.args()
        args.add_all(["-s", "-o", out, source])
        ctx.actions.run(
            executable = toolchain.compiler,
            arguments = [args],
            inputs = [source],
            outputs = [out],
            root = toolchain.root,
            env = toolchain.env,
            mnemonic = "LuaCompile",
            progress_message = "Compiling " + source.short_path,
        )
        modules.append(struct(name = name.replace("/", "."), file = out))
    return modules

def _lua_library(ctx):
    modules = _compiled(ctx, ctx.attr.toolchain[LuaToolchainInfo])
    return [
        DefaultInfo(files = depset([module.file for module in modules])),
        LuaInfo(modules = depset(modules, transitive = [dep[LuaInfo].modules for dep in ctx.attr.deps])),
    ]

def _lua_binary(ctx):
    toolchain = ctx.attr.toolchain[LuaToolchainInfo]
    own = _compiled(ctx, toolchain)
    modules = depset(own, transitive = [dep[LuaInfo].modules for dep in ctx.attr.deps]).to_list()
    folder = "/usr/local/share/lua/%s/" % toolchain.version
    label = ctx.label.canonical
    places = [entry(label, folder + module.name.replace(".", "/") + ".lua", "file", "", "0:0", file = module.file) for module in modules]
    start = ctx.actions.declare_file(ctx.label.name + ".start.lua")
    ctx.actions.expand_template(
        template = ctx.file._start,
        output = start,
        substitutions = {"{{main}}": ctx.attr.main},
    )
    program = "/usr/local/lib/%s.lua" % ctx.label.name
    return [
        DefaultInfo(files = depset([module.file for module in own])),
        runtime(
            ctx,
            entries = places + [entry(label, program, "file", "", "0:0", file = start)],
            debs = toolchain.debs,
            entrypoint = [toolchain.interpreter, program],
        ),
    ]

def _lua_test(ctx):
    made = _lua_binary(ctx)
    program = made[-1]
    return made + [test_info(ctx, program.entrypoint, program.root, program.env)]

_MODULES = {
    "srcs": attr.label_list(allow_files = [".lua"], stage = "build", doc = "Sources."),
    "deps": attr.label_list(providers = [LuaInfo], stage = "build", doc = "Libraries."),
    "toolchain": attr.label(default = "//:lua", providers = [LuaToolchainInfo], stage = "build", doc = "The compiler."),
}

lua_library = rule(
    implementation = _lua_library,
    doc = "Modules of Lua.",
    attrs = _MODULES,
    provides = [LuaInfo],
)

_PROGRAM = _MODULES | {
    "main": attr.string(mandatory = True, doc = "The module that runs."),
    "_start": attr.label(default = "//:start.lua.in", allow_single_file = True),
}

lua_binary = rule(
    implementation = _lua_binary,
    doc = "A program of Lua.",
    attrs = _PROGRAM,
    executable = True,
    provides = [RuntimeInfo],
)

lua_test = rule(
    implementation = _lua_test,
    doc = "A program of Lua that passes by ending without an error.",
    attrs = _PROGRAM | TEST_ATTRIBUTES | {
        "data": attr.label_list(allow_files = True, stage = "build", doc = "Files that it reads."),
    },
    test = True,
    provides = [RuntimeInfo],
)

def lua_image(name, main, srcs, deps = [], **options):
    """A program of Lua and an image of it.

    Args:
        name: the image's name; the program is `<name>_binary`.
        main: the module that runs.
        srcs: sources.
        deps: libraries.
        **options: of distroless_image.
    """
    lua_binary(name = name + "_binary", srcs = srcs, main = main, deps = deps)
    distroless_image(name = name, binary = ":" + name + "_binary", **options)
