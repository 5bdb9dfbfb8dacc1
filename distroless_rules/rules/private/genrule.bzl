"""`genrule`: files that a shell command makes."""

load("//rules:providers.bzl", "BuildRootInfo")

def _expanded(ctx, text, named):
    """Replaces `$(location x)` and the like, `$<`, `$@`, `$(SRCS)`, `$(OUTS)`, `$(RULEDIR)`, and `$$` by a dollar."""
    outs = [file.path for file in ctx.outputs.outs]
    srcs = [file.path for file in ctx.files.srcs]
    folder = ctx.outputs.outs[0].dirname
    parts = text.replace("$$", "\0").split("$")
    done = [parts[0]]
    for part in parts[1:]:
        if part.startswith("@"):
            if len(outs) != 1:
                fail("$@ needs one output, and there are %d" % len(outs))
            done.append(outs[0] + part[1:])
        elif part.startswith("<"):
            if len(srcs) != 1:
                fail("$< needs one source, and there are %d" % len(srcs))
            done.append(srcs[0] + part[1:])
        elif part.startswith("(") and ")" in part:
            word, _, rest = part[1:].partition(")")
            done.append(_variable(word, srcs, outs, folder, named) + rest)
        else:
            fail("\"$%s\" is no variable of genrule; write $$ for a dollar that the shell sees" % part[:20])
    return "".join(done).replace("\0", "$")

def _variable(word, srcs, outs, folder, named):
    if word == "SRCS":
        return " ".join(srcs)
    if word == "OUTS":
        return " ".join(outs)
    if word in ("RULEDIR", "@D"):
        return folder
    verb, _, label = word.partition(" ")
    if verb in ("location", "locations", "execpath", "execpaths") and label:
        found = named.get(label.strip())
        if found == None:
            fail("$(%s): \"%s\" is none of srcs, tools and outs" % (word, label.strip()))
        if len(found) != 1 and not verb.endswith("s"):
            fail("$(%s): it has %d files; write $(%ss %s)" % (word, len(found), verb, label.strip()))
        return " ".join([file.path for file in found])
    fail("\"$(%s)\" is no variable of genrule; write $$ for a dollar that the shell sees" % word)

def _named(ctx):
    """From each way to write a label to the files of its target."""
    named = {}
    for dep in ctx.attr.srcs + ctx.attr.tools:
        label = dep[DefaultInfo].label
        files = dep[DefaultInfo].files.to_list()
        named[label.canonical] = files
        if label.package == ctx.label.package and not label.repo_name:
            named[label.name] = files
            named[":" + label.name] = files
    for file in ctx.outputs.outs:
        name = file.path.removeprefix(ctx.outputs.outs[0].dirname + "/")
        named[name] = [file]
        named[":" + name] = [file]
    return named

def _genrule(ctx):
    root = ctx.attr.root[BuildRootInfo]
    ctx.actions.run_shell(
        command = _expanded(ctx, ctx.attr.cmd, _named(ctx)),
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
