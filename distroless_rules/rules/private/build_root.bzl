"""`build_root`: debs become the file system that commands of the build stage see."""

load("//rules:providers.bzl", "BuildRootInfo", "DebInfo")

def _two_digits(number):
    return ("0" if number < 10 else "") + str(number)

def _build_root(ctx):
    roots = [dep[DebInfo] for dep in ctx.attr.debs if DebInfo in dep]
    local = [file for dep in ctx.attr.debs if DebInfo not in dep for file in dep[DefaultInfo].files.to_list()]
    for file in local:
        if file.extension != "deb":
            fail("%s is no deb; a build root is made of debs" % file.short_path)
    closure = ctx.debs.closure(roots, local = local, exclude = ctx.attr.exclude, keep = ctx.attr.keep)
    inputs = {}
    for kind, debs in (("deb", closure.debs), ("base", closure.base)):
        for deb in debs:
            inputs["%s/%s/index" % (kind, deb.name)] = deb.index
            inputs["%s/%s/tree" % (kind, deb.name)] = deb.tree
    names = ("recipe/00", "recipe/system", "recipe/app", "generated", "report")
    composed = {name: ctx.actions.declare_file("%s.%s" % (ctx.label.name, name)) for name in names}
    ctx.actions.tool(
        mnemonic = "Compose",
        inputs = inputs,
        outputs = composed,
        parameters = {
            "layers": [[deb.name for deb in closure.debs]],
            "users": [{"name": "build", "uid": 1000, "gid": 1000, "home": "/build", "label": ctx.label.canonical}],
            "groups": [{"name": "build", "gid": 1000, "members": []}],
            # A build needs what an image does not: headers, static libraries, what scripts only prepare.
            "keep": ["/**"],
            "accept": [deb.name for deb in closure.debs],
            "platform": ctx.platform.name,
            "cut": closure.cuts,
        },
        progress_message = "Composing %s (%d debs)" % (ctx.label.canonical, len(closure.debs)),
        stage = "build",
    )
    tree = ctx.actions.declare_directory(ctx.label.name)
    blobs = {deb.tree: True for deb in closure.debs + closure.base}.keys() + [composed["generated"]]
    ctx.actions.tool(
        mnemonic = "BuildRoot",
        inputs = {name: composed[name] for name in ("recipe/00", "recipe/system", "recipe/app")} |
                 {"blob/" + _two_digits(at): blob for at, blob in enumerate(blobs)},
        outputs = {"tree": tree},
        parameters = {"links": {path.removeprefix("/"): target for path, target in ctx.attr.symlinks.items()}},
        progress_message = "Putting %s together" % ctx.label.canonical,
        stage = "build",
    )
    return [
        DefaultInfo(files = depset([tree])),
        BuildRootInfo(tree = tree, env = ctx.attr.env),
    ]

build_root = rule(
    implementation = _build_root,
    doc = "The file system that commands of the build stage see: debs and what they need, laid out read-only.",
    attrs = {
        "debs": attr.label_list(
            mandatory = True,
            allow_files = [".deb"],
            stage = "build",
            doc = "Debs (`@archive//name` or a .deb file); name a shell and core utilities too if commands use them.",
        ),
        "env": attr.string_dict(doc = "Environment variables of every command that runs in it."),
        "symlinks": attr.string_dict(doc = "From absolute paths to what symbolic links there say."),
        "exclude": attr.string_list(doc = "Debs that are not needed after all."),
        "keep": attr.string_list(doc = "Debs whose dependencies are not cut."),
    },
    provides = [BuildRootInfo],
)
