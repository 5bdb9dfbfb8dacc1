"""`rust_library`, `rust_proc_macro` and `rust_binary`: crates of Rust, each by rustc, or a whole package by cargo."""

load("//rules:providers.bzl", "RuntimeInfo", "RustInfo", "RustToolchainInfo")
load("//rules/private:files.bzl", "data_entries", "entry")
load("//rules/private:roots.bzl", "runtime")
load("//rules/private:tests.bzl", "TEST_ATTRIBUTES", "tested")

# Cargo writes beside its manifest's lock and below its home: both are places of the command's own.
_CARGO = """
out=$PWD/$1 manifest=$PWD/$2 name=$3 triple=$4 vendor=$PWD/$5
shift 5
export CARGO_HOME=/tmp/cargo
cargo build --quiet --release --offline --frozen --manifest-path "$manifest" --target "$triple" --target-dir /tmp/target \
    --config 'source.crates-io.replace-with="vendored"' --config "source.vendored.directory=\\"$vendor\\"" --bin "$name" "$@"
cp "/tmp/target/$triple/release/$name" "$out"
"""

def _crate_name(ctx):
    return ctx.attr.crate_name or ctx.label.name.replace("-", "_").replace("/", "_")

def _crate_root(ctx, usual):
    """The source that rustc is given: `crate_root`, `<usual>` or the only one."""
    sources = [file for file in ctx.files.srcs if file.extension == "rs"]
    below = lambda file: file.short_path.removeprefix(ctx.label.package + "/")
    if ctx.attr.crate_root:
        for file in sources:
            if below(file) == ctx.attr.crate_root:
                return file
        fail("crate_root is \"%s\", which is not in srcs" % ctx.attr.crate_root)
    if len(sources) == 1:
        return sources[0]
    named = [file for file in sources if file.basename in (usual, ctx.label.name + ".rs")]
    if named:
        return sorted(named, key = lambda file: len(file.dirname))[0]
    fail("which source is the crate's root? give crate_root = \"...\"; there is no %s among them" % usual)

def _deps(ctx):
    deps = [dep[RustInfo] for dep in ctx.attr.deps]
    macros = [dep[RustInfo] for dep in ctx.attr.proc_macro_deps]
    for dep in deps:
        if dep.proc_macro:
            fail("%s is a procedural macro; name it in proc_macro_deps" % dep.label)
    return deps, macros

def _compile(ctx, kind, root, out, options = []):
    """Compiles a crate to `out`; gives what those who use it must see."""
    toolchain = ctx.attr.toolchain[RustToolchainInfo]
    deps, macros = _deps(ctx)
    transitive = depset([dep.library for dep in deps + macros], transitive = [dep.libraries for dep in deps + macros])
    args = ctx.actions.args()
    args.add(root)
    args.add("--crate-name=" + _crate_name(ctx))
    args.add("--crate-type=" + kind)
    args.add("--edition=" + ctx.attr.edition)
    args.add("--target=" + toolchain.triple)
    args.add("-Cmetadata=" + ctx.label.canonical)
    args.add("-Clinker=" + toolchain.linker)
    if toolchain.sysroot != None:
        args.add(toolchain.sysroot, format = "--sysroot=%s/usr")
    args.add_all(toolchain.flags)
    args.add_all(ctx.attr.crate_features, format_each = "--cfg=feature=\"%s\"")
    if kind == "bin" and ctx.attr.strip:
        args.add("-Cstrip=symbols")
    args.add_all(ctx.attr.rustc_flags)
    args.add_all(options)
    if kind == "proc-macro":
        args.add("--extern=proc_macro")  # the compiler's own crate, as cargo names it
    for dep in deps + macros:
        args.add("--extern=%s=%s" % (dep.name, dep.library.path))
    args.add_all(transitive, map_each = lambda file: file.dirname, format_each = "-Ldependency=%s", uniquify = True)
    args.add("-o", out)
    ctx.actions.run(
        executable = "rustc",
        arguments = [args],
        inputs = depset(ctx.files.srcs + ctx.files.resources + ([toolchain.sysroot] if toolchain.sysroot != None else []), transitive = [transitive]),
        outputs = [out],
        root = toolchain.root,
        env = toolchain.env | ctx.attr.rustc_env,
        mnemonic = "Rustc",
        progress_message = "Compiling " + out.short_path,
    )
    return transitive

def _rust_crate(ctx, kind, file):
    out = ctx.actions.declare_file("%s.crate/%s" % (ctx.label.name, file % _crate_name(ctx)))
    libraries = _compile(ctx, kind, _crate_root(ctx, "lib.rs"), out)
    return [
        DefaultInfo(files = depset([out])),
        RustInfo(label = ctx.label.canonical, name = _crate_name(ctx), library = out, libraries = libraries, proc_macro = kind == "proc-macro"),
    ]

def _rust_library(ctx):
    return _rust_crate(ctx, "rlib", "lib%s.rlib")

def _rust_proc_macro(ctx):
    return _rust_crate(ctx, "proc-macro", "lib%s.so")

def _cargo(ctx, out):
    """Compiles the package of a manifest with the crates in its vendor folder."""
    toolchain = ctx.attr.toolchain[RustToolchainInfo]
    if ctx.attr.deps or ctx.attr.proc_macro_deps:
        fail("cargo takes what the manifest and vendor/ say; deps are for crates that rustc compiles")
    folder = ctx.file.manifest.dirname
    flags = ["-Clinker=" + toolchain.linker] + toolchain.flags + (["-Cstrip=symbols"] if ctx.attr.strip else []) + ctx.attr.rustc_flags
    inputs = ctx.files.srcs + ctx.files.resources + [ctx.file.manifest]
    if toolchain.sysroot != None:
        flags.append("--sysroot=/build/%s/usr" % toolchain.sysroot.path)
        inputs.append(toolchain.sysroot)
    variable = "CARGO_TARGET_%s_" % toolchain.triple.upper().replace("-", "_")
    vendor = "/".join([part for part in (folder, ctx.attr.vendor) if part])
    ctx.actions.run_shell(
        command = _CARGO,
        arguments = [out.path, ctx.file.manifest.path, ctx.attr.cargo_bin or ctx.label.name, toolchain.triple, vendor] +
                    (["--features=" + ",".join(ctx.attr.crate_features)] if ctx.attr.crate_features else []),
        inputs = inputs,
        outputs = [out],
        root = toolchain.root,
        env = toolchain.env | ctx.attr.rustc_env | {variable + "LINKER": toolchain.linker, variable + "RUSTFLAGS": " ".join(flags)},
        mnemonic = "Cargo",
        progress_message = "Compiling " + out.short_path,
    )

def _rust_program(ctx, usual, options):
    out = ctx.actions.declare_file(ctx.label.name)
    if ctx.file.manifest != None:
        if options:
            fail("cargo compiles programs; a test is compiled by rustc, without manifest")
        _cargo(ctx, out)
    else:
        _compile(ctx, "bin", _crate_root(ctx, usual), out, options)
    path = ctx.attr.path or "/usr/local/bin/" + ctx.label.name
    return [
        DefaultInfo(files = depset([out]), executable = out),
        runtime(
            ctx,
            entries = [entry(ctx.label.canonical, path, "file", "0755", "0:0", file = out)] + data_entries(ctx),
            debs = ctx.attr.toolchain[RustToolchainInfo].debs,
            entrypoint = [path],
        ),
    ]

_CRATE = {
    "srcs": attr.label_list(allow_files = True, stage = "build", doc = "Sources of the crate; for cargo all that the package consists of, vendor/ too."),
    "resources": attr.label_list(allow_files = True, stage = "build", doc = "Files that `include_str!` and `include_bytes!` name."),
    "deps": attr.label_list(providers = [RustInfo], stage = "build", doc = "Libraries."),
    "proc_macro_deps": attr.label_list(providers = [RustInfo], cfg = "exec", stage = "build", doc = "Procedural macros, which run while this is compiled."),
    "crate_name": attr.string(doc = "The crate's name; made of the target's without it."),
    "crate_root": attr.string(doc = "The source that the compiler is given; `lib.rs` or `main.rs`, or the only one, without it."),
    "crate_features": attr.string_list(doc = "Features that are switched on."),
    "edition": attr.string(default = "2021", values = ["2015", "2018", "2021", "2024"], doc = "The language's edition."),
    "rustc_flags": attr.string_list(doc = "Options of the compiler."),
    "rustc_env": attr.string_dict(doc = "Environment variables that `env!` gives."),
    "toolchain": attr.label(default = "@distroless_rules//toolchains:rust", providers = [RustToolchainInfo], stage = "build", doc = "The compiler: a `rust_toolchain`."),
}

rust_library = rule(
    implementation = _rust_library,
    doc = "A crate of Rust that programs use.",
    attrs = _CRATE,
    provides = [RustInfo],
)

rust_proc_macro = rule(
    implementation = _rust_proc_macro,
    doc = "A crate of procedural macros.",
    attrs = _CRATE,
    provides = [RustInfo],
)

def _rust_binary(ctx):
    return _rust_program(ctx, "main.rs", [])

def _rust_test(ctx):
    return tested(ctx, _rust_program(ctx, "lib.rs", ["--test"]))

_PROGRAM = _CRATE | {
    "manifest": attr.label(allow_single_file = [".toml"], stage = "build", doc = "A Cargo.toml: cargo compiles its package, without network."),
    "vendor": attr.string(default = "vendor", doc = "The folder with what `cargo vendor` wrote, beside the manifest."),
    "cargo_bin": attr.string(doc = "The program in the package; the target's name without it."),
    "strip": attr.bool(default = True, doc = "Whether symbols are left out."),
    "path": attr.string(doc = "Where it is in an image; `/usr/local/bin/<name>` without it."),
    "data": attr.label_list(allow_files = True, doc = "Files that it reads when it runs; in an image below `/usr/local/share/<name>`, as below the BUILD file."),
}

rust_binary = rule(
    implementation = _rust_binary,
    doc = "A program of Rust: a crate that rustc compiles, or with `manifest` a package that cargo compiles with vendored crates.",
    attrs = _PROGRAM,
    executable = True,
    provides = [RuntimeInfo],
)

rust_test = rule(
    implementation = _rust_test,
    doc = "The tests of a crate of Rust: its functions that are marked `#[test]`.",
    attrs = _PROGRAM | TEST_ATTRIBUTES,
    test = True,
    provides = [RuntimeInfo],
)
