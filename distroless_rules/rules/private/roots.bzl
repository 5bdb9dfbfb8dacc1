"""Trees that become the `/` of a sandbox: of debs for commands of the build stage, of what an image has for programs."""

load("//rules:providers.bzl", "RuntimeInfo")
load("//rules/private:files.bzl", "file_rows")

def lay_root(ctx, name, closure, entries = [], keep = [], links = {}):
    """Puts debs and files together.

    Args:
        ctx: the rule's.
        name: the tree's; its parts are called `<name>.<part>`.
        closure: the debs.
        entries: files as FilesInfo has them.
        keep: globs of paths that images leave out.
        links: from paths, without the first slash, to what further symbolic links say.

    Returns:
        A directory File.
    """
    inputs = {}
    for kind, debs in (("deb", closure.debs), ("base", closure.base)):
        for deb in debs:
            inputs["%s/%s/index" % (kind, deb.name)] = deb.index
            inputs["%s/%s/tree" % (kind, deb.name)] = deb.tree
    names = ("recipe/00", "recipe/system", "recipe/app", "generated", "report")
    composed = {part: ctx.actions.declare_file("%s.%s" % (name, part)) for part in names}
    ctx.actions.tool(
        mnemonic = "Compose",
        inputs = inputs,
        outputs = composed,
        parameters = {
            "layers": [[deb.name for deb in closure.debs]],
            "files": file_rows(entries, inputs),
            "users": [{"name": "build", "uid": 1000, "gid": 1000, "home": "/build", "label": ctx.label.canonical}],
            "groups": [{"name": "build", "gid": 1000, "members": []}],
            "keep": keep,
            "accept": [deb.name for deb in closure.debs],
            "platform": ctx.platform.name,
            "cut": closure.cuts,
        },
        progress_message = "Composing %s (%d debs)" % (ctx.label.canonical, len(closure.debs)),
        stage = "build",
    )
    blobs = [deb.tree for deb in closure.debs + closure.base] + [composed["generated"]]

    # What a sandbox mounts something on is empty.
    return put_together(ctx, name, composed, blobs, entries, empty = ["build", "dev", "proc", "sys", "tmp"], links = links)

def put_together(ctx, name, composed, blobs, entries, empty = [], folders = [], links = {}):
    """Makes a tree of what the tool Compose decided.

    Args:
        ctx: the rule's.
        name: the tree's.
        composed: the outputs of Compose.
        blobs: what holds the bytes of debs' files, and what Compose generated.
        entries: the other files, as FilesInfo has them.
        empty: folders that are there, without what debs ship in them.
        folders: folders that are there.
        links: from paths, without the first slash, to what further symbolic links say.

    Returns:
        A directory File.
    """
    tree = ctx.actions.declare_directory(name)
    sources = {blob: True for blob in blobs + [each.file for each in entries if each.file != None]}
    inputs = {part: file for part, file in composed.items() if part.startswith("recipe/")}
    ctx.actions.tool(
        mnemonic = "BuildRoot",
        inputs = inputs | {"blob/%d" % at: blob for at, blob in enumerate(sources)},
        outputs = {"tree": tree},
        parameters = {"empty": empty, "folders": folders, "links": links},
        progress_message = "Putting %s together" % ctx.label.canonical,
        stage = "build",
    )
    return tree

def runtime(ctx, entries, debs, entrypoint, env = {}):
    """What a program needs when it runs, in an image or, for a test or as a tool, in a sandbox.

    Args:
        ctx: the rule's.
        entries: files as FilesInfo has them, a list.
        debs: DebInfos.
        entrypoint: the program, with its first arguments.
        env: environment variables.

    Returns:
        A RuntimeInfo.
    """
    return RuntimeInfo(
        entries = depset(entries),
        debs = debs,
        entrypoint = entrypoint,
        env = env,
        root = lay_root(ctx, ctx.label.name + ".root", ctx.debs.closure(debs), entries),
    )
