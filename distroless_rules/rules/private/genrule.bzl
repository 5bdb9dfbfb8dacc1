"""`genrule`: files that a shell command makes."""

load("//rules:providers.bzl", "BuildRootInfo")
load("//rules/private:expansion.bzl", "expanded", "named_files")

def _command(ctx):
    outs = [file.path for file in ctx.outputs.outs]
    srcs = [file.path for file in ctx.files.srcs]
    out = ctx.outputs.outs[0]
    folder = (out.path.removesuffix(out.short_path) + ctx.label.package).removesuffix("/")
    return expanded(
        ctx.attr.cmd,
        "genrule",
        named_files(ctx, ctx.attr.srcs + ctx.attr.tools, ctx.outputs.outs),
        {"<": srcs, "@": outs, "SRCS": srcs, "OUTS": outs, "RULEDIR": [folder], "@D": [folder]},
    )

def _genrule(ctx):
    root = ctx.attr.root[BuildRootInfo]
    ctx.actions.run_shell(
        command = _command(ctx),
        inputs = ctx.files.srcs,
        tools = ctx.files.tools,
        outputs = ctx.outputs.outs,
        root = root.tree,
        env = root.env | ctx.attr.env,
        mnemonic = "Genrule",
        progress_message = ctx.attr.message or "Running genrule " + ctx.label.canonical,
        timeout = ctx.attr.timeout,
    )
    return [DefaultInfo(files = depset(ctx.outputs.outs))]

genrule = rule(
    implementation = _genrule,
    doc = "Files that a shell command makes in a sandbox, from declared files and nothing else.",
    attrs = {
        "srcs": attr.label_list(allow_files = True, stage = "build", doc = "What the command reads."),
        "tools": attr.label_list(allow_files = True, cfg = "exec", stage = "build", doc = "Programs that the command starts."),
        "outs": attr.output_list(mandatory = True, doc = "The files that it makes."),
        "cmd": attr.string(
            mandatory = True,
            doc = "The command, for `/bin/sh -e`. `$(location LABEL)`, `$(locations LABEL)`, `$<`, `$@`, `$(SRCS)`, `$(OUTS)` " +
                  "and `$(RULEDIR)` are paths; write `$$` for a dollar that the shell sees.",
        ),
        "root": attr.label(default = "@distroless_rules//toolchains:posix", providers = [BuildRootInfo], cfg = "exec", stage = "build", doc = "The `build_root` that it runs in."),
        "env": attr.string_dict(doc = "Environment variables."),
        "message": attr.string(doc = "What is shown while it runs."),
        "timeout": attr.int(default = 3600, doc = "Seconds that it may take."),
    },
)
