"""What every test has: how it is run, for how long, with what; and `sh_test`."""

load("//rules:providers.bzl", "BuildRootInfo")
load("//rules/private:expansion.bzl", "expanded", "named_files")

SECONDS = {"small": 60, "medium": 300, "large": 900, "enormous": 3600}

TIME_ATTRIBUTES = {
    "size": attr.string(default = "medium", values = list(SECONDS), doc = "How long it may take: a minute, 5 minutes, 15 minutes, an hour."),
    "timeout": attr.int(doc = "Seconds that it may take, in place of what `size` says."),
}
TEST_ATTRIBUTES = TIME_ATTRIBUTES | {
    "args": attr.string_list(doc = "Arguments of the test; `$(location LABEL)` is the path of a file in `data`, `$$` a dollar."),
    "env": attr.string_dict(doc = "Environment variables of the test, with paths as in `args`."),
}

def test_info(ctx, words, tree, env, files = []):
    """Declares that a program is run as a test.

    It works in a folder where its `data` are at their paths from the workspace's root; nothing else of this machine or
    of the build is there.

    Args:
        ctx: the rule's; it has `data` and TEST_ATTRIBUTES.
        words: the program and its first arguments.
        tree: the directory File that becomes `/`.
        env: environment variables.
        files: Files that it needs besides its data.

    Returns:
        A TestInfo.
    """
    log = ctx.actions.declare_file(ctx.label.name + ".test.log")
    named = named_files(ctx, ctx.attr.data, [])
    own = {name: expanded(text, "tests", named) for name, text in ctx.attr.env.items()}
    ctx.actions.run(
        executable = words[0],
        arguments = words[1:] + [expanded(word, "tests", named) for word in ctx.attr.args],
        inputs = files + ctx.files.data,
        outputs = [],
        root = tree,
        env = {"HOME": "/tmp", "TEST_TARGET": ctx.label.canonical, "TEST_TMPDIR": "/tmp", "TEST_SRCDIR": "/build"} | env | own,
        mnemonic = "Test",
        progress_message = "Testing " + ctx.label.canonical,
        timeout = ctx.attr.timeout or SECONDS[ctx.attr.size],
        log = log,
    )
    return TestInfo(logs = depset([log]))

def tested(ctx, made):
    """Adds to what a program gives, its RuntimeInfo last, that it is a test: it runs in what it would have in an image."""
    program = made[-1]
    return made + [test_info(ctx, program.entrypoint, program.root, program.env)]

def _sh_test(ctx):
    root = ctx.attr.root[BuildRootInfo]
    scripts = ctx.files.srcs
    if len(scripts) != 1:
        fail("srcs must be one script; name what else it needs in data")
    return [
        DefaultInfo(files = depset(scripts), executable = scripts[0]),
        test_info(ctx, ["./" + scripts[0].path], root.tree, root.env, scripts),
    ]

sh_test = rule(
    implementation = _sh_test,
    doc = "A script that passes by ending with exit status 0.",
    attrs = {
        "srcs": attr.label_list(mandatory = True, allow_files = True, stage = "build", doc = "The script, with its `#!`."),
        "data": attr.label_list(allow_files = True, stage = "build", doc = "Files that it reads, at their paths from the workspace's root; programs among them can be started."),
        "root": attr.label(default = "@distroless_rules//toolchains:posix", providers = [BuildRootInfo], cfg = "exec", stage = "build", doc = "The `build_root` that it runs in."),
    } | TEST_ATTRIBUTES,
    test = True,
)
