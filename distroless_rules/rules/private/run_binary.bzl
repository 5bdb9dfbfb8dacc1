"""`run_binary`: files that a program makes."""

load("//rules:providers.bzl", "BuildRootInfo", "RuntimeInfo")
load("//rules/private:expansion.bzl", "expanded", "named_files")

def start(tool, root):
    """How a program is started in a sandbox.

    Args:
        tool: the program's target; with a RuntimeInfo it runs in what an image would have, else its file in `root`.
        root: a target with a BuildRootInfo.

    Returns:
        A struct: words (the program and its first arguments), tree, env, files.
    """
    if RuntimeInfo in tool:
        program = tool[RuntimeInfo]
        if not hasattr(program, "root"):
            fail("%s says what an image needs of it, and not what it runs in; its rule should make its RuntimeInfo by runtime() of @distroless_rules//rules:authoring.bzl" % tool[DefaultInfo].label.canonical)
        return struct(words = program.entrypoint, tree = program.root, env = program.env, files = [])
    files = tool[DefaultInfo].files.to_list()
    file = tool[DefaultInfo].executable or (files[0] if len(files) == 1 else None)
    if file == None:
        fail("%s has %d files; a program is one" % (tool[DefaultInfo].label.canonical, len(files)))
    info = root[BuildRootInfo]
    return struct(words = ["./" + file.path], tree = info.tree, env = info.env, files = files)

def _run_binary(ctx):
    folders = [ctx.actions.declare_directory(name) for name in ctx.attr.out_dirs]
    outs = ctx.outputs.outs + folders
    if not outs:
        fail("give outs or out_dirs: what the program makes")
    named = named_files(ctx, ctx.attr.srcs, outs)
    program = start(ctx.attr.tool, ctx.attr.root)
    ctx.actions.run(
        executable = program.words[0],
        arguments = program.words[1:] + [expanded(word, "run_binary", named) for word in ctx.attr.args],
        inputs = ctx.files.srcs,
        tools = program.files,
        outputs = outs,
        root = program.tree,
        env = program.env | {name: expanded(text, "run_binary", named) for name, text in ctx.attr.env.items()},
        mnemonic = "RunBinary",
        progress_message = ctx.attr.message or "Running %s for %s" % (ctx.attr.tool[DefaultInfo].label.canonical, ctx.label.canonical),
        timeout = ctx.attr.timeout,
    )
    return [DefaultInfo(files = depset(outs))]

run_binary = rule(
    implementation = _run_binary,
    doc = "Files that a program makes in a sandbox, from declared files and nothing else, without a shell.",
    attrs = {
        "tool": attr.label(mandatory = True, allow_files = True, cfg = "exec", stage = "build", doc = "The program: a binary, or an executable file."),
        "srcs": attr.label_list(allow_files = True, stage = "build", doc = "What it reads."),
        "outs": attr.output_list(doc = "The files that it makes."),
        "out_dirs": attr.string_list(doc = "Folders that it makes, with any files."),
        "args": attr.string_list(doc = "Its arguments; `$(location LABEL)` is the path of a source or output, `$$` a dollar."),
        "env": attr.string_dict(doc = "Environment variables, with paths as in `args`."),
        "root": attr.label(default = "@distroless_rules//toolchains:posix", providers = [BuildRootInfo], cfg = "exec", stage = "build", doc = "The `build_root` that a plain file runs in; a binary of our rules runs in what it needs."),
        "message": attr.string(doc = "What is shown while it runs."),
        "timeout": attr.int(default = 3600, doc = "Seconds that it may take."),
    },
)
