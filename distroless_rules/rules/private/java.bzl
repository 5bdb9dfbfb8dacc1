"""`java_library`, `java_import` and `java_binary`: jars from source and from files."""

load("//rules:providers.bzl", "JavaInfo", "JavaToolchainInfo", "RuntimeInfo")
load("//rules/private:files.bzl", "data_entries", "entry")
load("//rules/private:roots.bzl", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

# Entries of a jar in the order of their names, all of one date: the first that its format knows, made round.
_JAR = """
out=$PWD/$1
shift
mkdir /tmp/classes
if [ -s "$1" ]; then javac -d /tmp/classes "@$1"; fi
shift
while [ $# -gt 0 ]; do
    case $2 in */*) mkdir -p "/tmp/classes/${2%/*}" ;; esac
    cp "$1" "/tmp/classes/$2"
    shift 2
done
cd /tmp/classes
find . -type f | sed 's/^..//' | LC_ALL=C sort > /tmp/names
jar --create --file "$out" --no-manifest --date=1980-02-01T00:00:00Z @/tmp/names
"""

def _resource_path(ctx, file):
    """Where a resource is in the jar: below `resource_strip_prefix`, else below the package."""
    prefix = ctx.attr.resource_strip_prefix
    if prefix:
        whole = "/".join([part for part in (ctx.label.package, prefix) if part]) + "/"
        if not file.short_path.startswith(whole):
            fail("%s is not below resource_strip_prefix \"%s\"" % (file.short_path, prefix))
        return file.short_path.removeprefix(whole)
    return file.short_path.removeprefix(ctx.label.package + "/")

def _compile(ctx):
    """Compiles the sources against all that they see; gives the jar, None where there is nothing to put in it."""
    if not ctx.files.srcs and not ctx.files.resources:
        return None
    for file in ctx.files.srcs:
        if file.extension != "java":
            fail("%s is no source of Java" % file.short_path)
    toolchain = ctx.attr.toolchain[JavaToolchainInfo]
    classpath = depset(transitive = [dep[JavaInfo].jars for dep in ctx.attr.deps])
    out = ctx.actions.declare_file("lib%s.jar" % ctx.label.name)
    options = ctx.actions.declare_file(ctx.label.name + ".javac")
    words = []
    if ctx.files.srcs:
        words = toolchain.javacopts + ctx.attr.javacopts
        jars = [jar.path for jar in classpath.to_list()]
        words = words + (["-classpath", ":".join(jars)] if jars else []) + [file.path for file in ctx.files.srcs]
    ctx.actions.write(options, "".join(["\"%s\"\n" % word.replace("\\", "\\\\").replace("\"", "\\\"") for word in words]))
    args = ctx.actions.args()
    args.add(out)
    args.add(options)
    for file in ctx.files.resources:
        args.add(file)
        args.add(_resource_path(ctx, file))
    ctx.actions.run_shell(
        command = _JAR,
        arguments = [args],
        inputs = depset([options] + ctx.files.srcs + ctx.files.resources, transitive = [classpath]),
        outputs = [out],
        root = toolchain.root,
        env = toolchain.env,
        mnemonic = "Javac",
        progress_message = "Compiling " + out.short_path,
    )
    return out

def _info(ctx, own):
    return JavaInfo(jars = depset(own, order = "preorder", transitive = [dep[JavaInfo].jars for dep in ctx.attr.deps]))

def _java_library(ctx):
    jar = _compile(ctx)
    own = [jar] if jar != None else []
    return [DefaultInfo(files = depset(own)), _info(ctx, own)]

def _java_import(ctx):
    return [DefaultInfo(files = depset(ctx.files.jars)), _info(ctx, ctx.files.jars)]

def _java_binary(ctx):
    toolchain = ctx.attr.toolchain[JavaToolchainInfo]
    jar = _compile(ctx)
    own = [jar] if jar != None else []
    jars = depset(_info(ctx, own).jars.to_list(), order = "preorder", transitive = [dep[JavaInfo].jars for dep in ctx.attr.runtime_deps]).to_list()
    label = ctx.label.canonical
    folder = ctx.attr.path or "/usr/local/lib/" + ctx.label.name
    entries = []
    paths = {}
    for each in jars:
        path = "%s/%s" % (folder, each.basename)
        if path in paths:  # two jars of one name: the second keeps its folder
            path = "%s/%s" % (folder, each.short_path)
        paths[path] = True
        entries.append(entry(label, path, "file", "", "0:0", file = each))
    return [
        DefaultInfo(files = depset(own)),
        runtime(
            ctx,
            entries = entries + data_entries(ctx),
            debs = toolchain.debs,
            entrypoint = [toolchain.java] + ctx.attr.jvm_flags + ["-cp", ":".join(paths.keys()), ctx.attr.main_class],
        ),
    ]

_DEPS = attr.label_list(providers = [JavaInfo], stage = "build", doc = "Libraries that it is compiled against, and that it runs with.")
_TOOLCHAIN = attr.label(default = "@distroless_rules//toolchains:java", providers = [JavaToolchainInfo], stage = "build", doc = "The compiler: a `java_toolchain`.")
_SOURCES = {
    "srcs": attr.label_list(allow_files = [".java"], stage = "build", doc = "Sources."),
    "deps": _DEPS,
    "resources": attr.label_list(allow_files = True, stage = "build", doc = "Files that the jar holds, as below the BUILD file."),
    "resource_strip_prefix": attr.string(doc = "The folder, below the BUILD file's, at which the paths of resources begin."),
    "javacopts": attr.string_list(doc = "Options of the compiler."),
    "toolchain": _TOOLCHAIN,
}

java_library = rule(
    implementation = _java_library,
    doc = "A jar, compiled from sources.",
    attrs = _SOURCES,
    provides = [JavaInfo],
)

java_import = rule(
    implementation = _java_import,
    doc = "Jars that are there as files.",
    attrs = {
        "jars": attr.label_list(mandatory = True, allow_files = [".jar"], stage = "build", doc = "The jars."),
        "deps": _DEPS,
    },
    provides = [JavaInfo],
)

def _java_test(ctx):
    return tested(ctx, _java_binary(ctx))

_PROGRAM = _SOURCES | {
    "main_class": attr.string(mandatory = True, doc = "The class whose `main` runs."),
    "jvm_flags": attr.string_list(doc = "Options of the Java that runs it: `-Xmx256m`."),
    "runtime_deps": attr.label_list(providers = [JavaInfo], stage = "build", doc = "Libraries that it needs only when it runs."),
    "path": attr.string(doc = "The folder of the jars in an image; `/usr/local/lib/<name>` without it."),
    "data": attr.label_list(allow_files = True, doc = "Files that it reads when it runs; in an image below `/usr/local/share/<name>`, as below the BUILD file."),
}

java_binary = rule(
    implementation = _java_binary,
    doc = "A program of Java: in an image its jars and the Java that runs them.",
    attrs = _PROGRAM,
    provides = [RuntimeInfo],
)

java_test = rule(
    implementation = _java_test,
    doc = "A program of Java that passes by ending with exit status 0.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [RuntimeInfo],
)
