"""Trees that become the `/` of a sandbox: of debs for commands of the build stage, of what an image has for programs."""

load("//rules:providers.bzl", "RuntimeInfo")
load("//rules/private:files.bzl", "file_rows")

_DOING = {"Checksums": "Hashing the files", "Facts": "Reading the files", "Mentions": "Reading the imports", "Screen": "Screening the files"}

# What a sandbox mounts something on is empty.
MOUNTED = ["build", "dev", "proc", "sys", "tmp"]

def offered(ctx, files, inputs, exclude = [], keep = []):
    """Has needed libraries taken from the debs that commands ran among on the way to files.

    Args:
        ctx: the rule's.
        files: what is put into the image, Files.
        inputs: those of the tool Compose; what it reads of the debs is added.
        exclude: debs that are not taken.
        keep: debs whose dependencies are not cut.

    Returns:
        A struct: the parameter `offers` of the tool Compose; the debs; the archives with the bytes of their files; and,
        by names of inputs, what those files name.
    """
    offers = ctx.debs.offers(files, exclude = exclude, keep = keep)
    rows = []
    mentions = {}
    for offer in offers:
        name = "offer/%s/%s" % (offer.deb.archive, offer.deb.name)
        inputs[name + "/index"] = offer.deb.index
        inputs[name + "/tree"] = offer.deb.tree
        inputs[name + "/facts"] = offer.deb.facts
        mentions[name + "/mentions"] = offer.deb.mentions
        rows.append({"archive": offer.deb.archive, "deb": offer.deb.name, "needs": offer.needs, "depends": offer.depends, "cuts": offer.cuts})
    return struct(rows = rows, debs = [offer.deb for offer in offers], trees = [offer.deb.tree for offer in offers], mentions = mentions)

def read_files(ctx, name, inputs, mnemonic, files, trees, first = 0, more = {}):
    """Has files read for the gate: each tree once, and all single files together.

    Args:
        ctx: the rule's.
        name: what the outputs' names begin with.
        inputs: those of the tool Compose; what was read is added.
        mnemonic: "Facts", "Mentions", "Checksums" or "Screen".
        files: entries, as FilesInfo has them, of single files.
        trees: directory Files.
        first: the number of the first output.
        more: parameters of the tool.
    """
    kind = mnemonic.lower()
    named = {"file/%d" % at: each for at, each in enumerate(files)}
    given = [({"tree": tree}, {}) for tree in trees]
    if named:
        given.append(({at: each.file for at, each in named.items()}, {"paths": {at: each.path for at, each in named.items()}}))
    for number, (taken, parameters) in enumerate(given, first):
        out = ctx.actions.declare_file("%s.%s/%d" % (name, kind, number))
        ctx.actions.tool(
            mnemonic = mnemonic,
            inputs = taken,
            outputs = {kind: out},
            parameters = parameters | more,
            progress_message = "%s of %s" % (_DOING[mnemonic], ctx.label.canonical),
        )
        inputs["%s/%d" % (kind, number)] = out

def compose_root(ctx, name, closure, entries = [], keep = [], env = {}):
    """Decides every path of a tree of debs and files; needed libraries come from the debs that made the files.

    Args:
        ctx: the rule's.
        name: the tree's; its parts are called `<name>.<part>`.
        closure: the debs.
        entries: files as FilesInfo has them.
        keep: globs of paths that images leave out.
        env: environment variables of what is started in it.

    Returns:
        A struct: the outputs of Compose, and what holds the bytes of debs' files and what Compose generated.
    """
    inputs = {}
    for kind, debs in (("deb", closure.debs), ("base", closure.base)):
        for deb in debs:
            inputs["%s/%s/index" % (kind, deb.name)] = deb.index
            inputs["%s/%s/tree" % (kind, deb.name)] = deb.tree
    parameters = {}
    taken = offered(ctx, [each.file for each in entries if each.file != None], inputs)
    if taken.rows:
        inputs |= {"deb/%s/facts" % deb.name: deb.facts for deb in closure.debs}
        read_files(ctx, name, inputs, "Facts", [each for each in entries if each.kind == "file"], list({each.file: True for each in entries if each.kind == "tree"}))
        start = {"entrypoint": [], "cmd": [], "env": env, "workdir": "/", "volumes": []}
        parameters = {"offers": taken.rows, "gate": start | {"allow_missing": [], "closure": "packages", "whole": [], "holds": False}}
    names = ("recipe/00", "recipe/system", "recipe/app", "generated", "report")
    composed = {part: ctx.actions.declare_file("%s.%s" % (name, part)) for part in names}
    ctx.actions.tool(
        mnemonic = "Compose",
        inputs = inputs,
        outputs = composed,
        parameters = parameters | {
            "layers": [[deb.name for deb in closure.debs]],
            "files": file_rows(entries, inputs),
            "users": [{"name": "build", "uid": 1000, "gid": 1000, "home": "/build", "label": "the sandbox"}],
            "groups": [{"name": "build", "gid": 1000, "members": []}],
            "keep": keep,
            "accept": [deb.name for deb in closure.debs] + [row["deb"] for row in taken.rows],
            "platform": ctx.platform.name,
            "cut": closure.cuts,
        },
        progress_message = "Composing %s (%d debs)" % (ctx.label.canonical, len(closure.debs)),
        stage = "build",
    )
    return struct(composed = composed, blobs = [deb.tree for deb in closure.debs + closure.base] + taken.trees + [composed["generated"]])

def lay_root(ctx, name, closure, entries = [], keep = [], links = {}, env = {}):
    """Puts debs and files together; arguments are those of `compose_root`, and `links` of `put_together`.

    Returns:
        A directory File.
    """
    made = compose_root(ctx, name, closure, entries, keep, env)
    return put_together(ctx, name, made.composed, made.blobs, entries, empty = MOUNTED, links = links)

def root_with(ctx, built, debs):
    """The file system of a toolchain with further debs and what they need: headers and libraries for what is compiled.

    Where both have a path, the toolchain's own stays: its programs are for the machine that builds.

    Args:
        ctx: the rule's; the debs are for its platform.
        built: a BuildRootInfo.
        debs: DebInfos.

    Returns:
        A directory File.
    """
    if not debs:
        return built.tree
    if not hasattr(built, "parts"):
        fail("the toolchain's root says nothing of its parts, so debs cannot be added to it; make it by build_root")
    closure = ctx.debs.closure(debs, stage = "build")
    for deb in closure.debs:
        own = built.parts.versions.get(deb.name)
        if own != None and own[0] == deb.architecture and own[1:] != [deb.archive, deb.version]:
            fail("%s %s of @%s cannot be added to a toolchain that has %s of @%s; take a toolchain and debs of one archive" % (deb.name, deb.version, deb.archive, own[2], own[1]))
    made = compose_root(ctx, ctx.label.name + ".libraries", closure, keep = ["/**"])
    tree = ctx.actions.declare_directory(ctx.label.name + ".build_root")
    lay_parts(ctx, tree, [built.parts.composed, made.composed], built.parts.blobs + made.blobs, built.parts.links)
    return tree

def lay_parts(ctx, tree, parts, blobs, links, empty = MOUNTED, folders = []):
    """Makes a tree of what the tool Compose decided, once or several times: what comes first stays."""
    recipes = {}
    for at, composed in enumerate(parts):
        recipes |= {"recipe/%d/%s" % (at, part.removeprefix("recipe/")): file for part, file in composed.items() if part.startswith("recipe/")}
    sources = {blob: True for blob in blobs}
    ctx.actions.tool(
        mnemonic = "BuildRoot",
        inputs = recipes | {"blob/%d" % at: blob for at, blob in enumerate(sources)},
        outputs = {"tree": tree},
        parameters = {"empty": empty, "folders": folders, "links": links},
        progress_message = "Putting %s together" % ctx.label.canonical,
        stage = "build",
    )

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
    lay_parts(ctx, tree, [composed], blobs + [each.file for each in entries if each.file != None], links, empty, folders)
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
        root = lay_root(ctx, ctx.label.name + ".root", ctx.debs.closure(debs), entries, env = env),
    )
