"""`cc_library` and `cc_binary`: C and C++ compiled file by file, and linked, in a sandbox."""

load("//rules:providers.bzl", "CcInfo", "CcToolchainInfo", "DebInfo", "RuntimeInfo")
load("//rules/private:files.bzl", "data_entries", "entry")
load("//rules/private:roots.bzl", "root_with", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

_C = ["c", "s", "S"]
_CXX = ["cc", "cpp", "cxx", "C"]
_HEADERS = ["h", "hh", "hpp", "hxx", "inc"]

def _merged(ctx):
    """What the target's deps give, and what it adds to that for those who use it."""
    deps = [dep[CcInfo] for dep in ctx.attr.deps if CcInfo in dep]
    debs = depset(
        [dep[DebInfo] for dep in ctx.attr.deps if DebInfo in dep],
        transitive = [dep.debs for dep in deps if hasattr(dep, "debs")],
    )
    package = ctx.label.package
    includes = ["/".join([part for part in (package, path) if part and path != "."]) or "." for path in ctx.attr.includes]
    return struct(
        headers = depset(getattr(ctx.files, "hdrs", []), transitive = [dep.headers for dep in deps]),
        includes = depset(includes, transitive = [dep.includes for dep in deps]),
        defines = depset(getattr(ctx.attr, "defines", []), transitive = [dep.defines for dep in deps]),
        libraries = [dep.libraries for dep in deps],
        linkopts = [dep.linkopts for dep in deps],
        cxx = any([dep.cxx for dep in deps]),
        debs = debs,
        root = _root(ctx, debs.to_list()),
    )

def _root(ctx, debs):
    """The file system of the compiler with the debs among the target's deps, its own and those of libraries."""
    toolchain = ctx.attr.toolchain[CcToolchainInfo]
    if debs and not hasattr(toolchain, "built"):
        fail("the toolchain does not say what its root is made of (\"built\"), so debs cannot be added to it")
    return root_with(ctx, toolchain.built, debs) if debs else toolchain.root

def _compile(ctx, toolchain, found):
    """Compiles each source; gives the object files, and whether any is of C++."""
    own = [file for file in ctx.files.srcs if file.extension in _HEADERS]
    objects = []
    cxx = False
    for source in ctx.files.srcs:
        if source.extension in _HEADERS:
            continue
        if source.extension not in _C + _CXX:
            fail("%s is no source of C or C++" % source.short_path)
        is_cxx = source.extension in _CXX
        cxx = cxx or is_cxx
        out = ctx.actions.declare_file("%s.objects/%s.o" % (ctx.label.name, source.short_path))
        args = ctx.actions.args()
        args.add_all(toolchain.copts)
        args.add_all(found.includes, format_each = "-I%s")
        args.add("-I.")
        args.add_all(found.defines, format_each = "-D%s")
        args.add_all(ctx.attr.local_defines, format_each = "-D%s")
        args.add_all(ctx.attr.copts)
        args.add("-c", source)
        args.add("-o", out)
        ctx.actions.run(
            executable = toolchain.cxx if is_cxx else toolchain.cc,
            arguments = [args],
            inputs = depset([source] + own, transitive = [found.headers]),
            outputs = [out],
            root = found.root,
            env = toolchain.env,
            mnemonic = "CcCompile",
            progress_message = "Compiling " + source.short_path,
        )
        objects.append(out)
    return objects, cxx

def _cc_library(ctx):
    toolchain = ctx.attr.toolchain[CcToolchainInfo]
    found = _merged(ctx)
    objects, cxx = _compile(ctx, toolchain, found)
    own = []
    if objects:
        archive = ctx.actions.declare_file("lib%s.a" % ctx.label.name)
        ctx.actions.run(
            executable = toolchain.ar,
            # Deterministic: no times, no owners.
            arguments = ["rcsD", archive.path] + [file.path for file in objects],
            inputs = objects,
            outputs = [archive],
            root = found.root,
            env = toolchain.env,
            mnemonic = "CcArchive",
            progress_message = "Archiving " + archive.short_path,
        )
        own = [archive]
    return [
        DefaultInfo(files = depset(own)),
        CcInfo(
            headers = found.headers,
            includes = found.includes,
            defines = found.defines,
            libraries = depset(own, order = "preorder", transitive = found.libraries),
            linkopts = depset(ctx.attr.linkopts, transitive = found.linkopts),
            cxx = cxx or found.cxx,
            debs = found.debs,
        ),
    ]

def _cc_binary(ctx):
    toolchain = ctx.attr.toolchain[CcToolchainInfo]
    found = _merged(ctx)
    objects, cxx = _compile(ctx, toolchain, found)
    cxx = cxx or found.cxx
    libraries = depset(order = "preorder", transitive = found.libraries)
    out = ctx.actions.declare_file(ctx.label.name)
    args = ctx.actions.args()
    args.add_all(toolchain.linkopts)
    args.add("-o", out)
    args.add_all(objects)
    args.add("-Wl,--start-group")
    args.add_all(libraries)
    args.add("-Wl,--end-group")
    args.add_all(ctx.attr.linkopts)
    args.add_all(depset(transitive = found.linkopts))
    if ctx.attr.strip:
        args.add("-s")
    args.use_param_file("@%s")
    ctx.actions.run(
        executable = toolchain.cxx if cxx else toolchain.cc,
        arguments = [args],
        inputs = depset(objects, transitive = [libraries]),
        outputs = [out],
        root = found.root,
        env = toolchain.env,
        mnemonic = "CcLink",
        progress_message = "Linking " + out.short_path,
    )
    path = ctx.attr.path or "/usr/local/bin/" + ctx.label.name
    return [
        DefaultInfo(files = depset([out]), executable = out),
        runtime(
            ctx,
            entries = [entry(ctx.label.canonical, path, "file", "0755", "0:0", file = out)] + data_entries(ctx),
            debs = toolchain.cxx_debs if cxx else toolchain.c_debs,
            entrypoint = [path],
        ),
    ]

def _attributes(**more):
    return {
        "srcs": attr.label_list(allow_files = ["." + end for end in _C + _CXX + _HEADERS], stage = "build", doc = "Sources, and headers that only they include."),
        "deps": attr.label_list(providers = [[CcInfo], [DebInfo]], stage = "build", doc = "Libraries, and debs with headers and libraries such as `@trixie//libssl-dev`; what the program needs of those when it runs comes into an image by itself."),
        "includes": attr.string_list(doc = "Folders of the package in which headers are looked for, by those who depend on this too."),
        "local_defines": attr.string_list(doc = "Macros, `NAME` or `NAME=VALUE`, of these sources."),
        "copts": attr.string_list(doc = "Options of the compiler."),
        "linkopts": attr.string_list(doc = "Options of the linker, such as `-lssl`."),
        "toolchain": attr.label(default = "@distroless_rules//toolchains:cc", providers = [CcToolchainInfo], stage = "build", doc = "The compiler: a `cc_toolchain`."),
    } | more

cc_library = rule(
    implementation = _cc_library,
    doc = "A library of C or C++ that is linked into programs.",
    attrs = _attributes(
        hdrs = attr.label_list(allow_files = True, stage = "build", doc = "Headers that others include, by their paths from the workspace's root or from `includes`."),
        defines = attr.string_list(doc = "Macros of these sources and of those who depend on this."),
    ),
    provides = [CcInfo],
)

def _cc_test(ctx):
    return tested(ctx, _cc_binary(ctx))

_PROGRAM = _attributes(
    path = attr.string(doc = "Where it is in an image; `/usr/local/bin/<name>` without it."),
    data = attr.label_list(allow_files = True, doc = "Files that it reads when it runs; in an image below `/usr/local/share/<name>`, as below the BUILD file."),
    strip = attr.bool(default = True, doc = "Whether symbols are left out."),
)

cc_binary = rule(
    implementation = _cc_binary,
    doc = "A program of C or C++.",
    attrs = _PROGRAM,
    executable = True,
    provides = [RuntimeInfo],
)

cc_test = rule(
    implementation = _cc_test,
    doc = "A program of C or C++ that passes by ending with exit status 0.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [RuntimeInfo],
)
