"""`distroless_image`: debs and files become an OCI image."""

load("//rules:providers.bzl", "CertificatesInfo", "DebInfo", "FilesInfo", "GroupInfo", "ImageInfo", "OsReleaseInfo", "PolicyInfo", "RuntimeInfo", "UserInfo")
load("//rules/private:files.bzl", "file_rows")
load("//rules/private:layers.bzl", "deb_layers", "sum_of", "weight")
load("//rules/private:policy.bzl", "find", "hold")
load("//rules/private:roots.bzl", "offered", "put_together", "read_files")
load("//rules/private:sbom.bzl", "sboms")

_WELL_KNOWN = {"root": "0", "nonroot": "65532"}

def _two_digits(number):
    return ("0" if number < 10 else "") + str(number)

def _gather(deps):
    """Sorts what an image is made of by what it is."""
    found = struct(debs = [], local = [], entries = [], users = [], groups = [], certificates = [], os_release = {})
    for dep in deps:
        known = False
        if DebInfo in dep:
            found.debs.append(dep[DebInfo])
            known = True
        if FilesInfo in dep:
            found.entries.extend(dep[FilesInfo].entries.to_list())
            known = True
        if RuntimeInfo in dep:
            found.entries.extend(dep[RuntimeInfo].entries.to_list())
            found.debs.extend(dep[RuntimeInfo].debs)
            known = True
        if UserInfo in dep:
            found.users.append(dep[UserInfo])
            known = True
        if GroupInfo in dep:
            found.groups.append(dep[GroupInfo])
            known = True
        if CertificatesInfo in dep:
            found.certificates.extend(dep[CertificatesInfo].files)
            known = True
        if OsReleaseInfo in dep:
            found.os_release.update(dep[OsReleaseInfo].fields)
            known = True
        if ImageInfo in dep:
            fail("%s is an image; an image is made of debs, files and accounts" % dep[DefaultInfo].label.canonical)
        if not known:
            _gather_files(dep, found)
    return found

def _gather_files(dep, found):
    files = dep[DefaultInfo].files.to_list()
    if not files:
        fail("%s gives nothing that an image is made of; debs, files and accounts are named themselves, or by an alias" % dep[DefaultInfo].label.canonical)
    for file in files:
        if file.extension != "deb":
            fail("%s has no place in the image; put it there with files(srcs = {\"/path\": \"%s\"})" % (file.short_path, file.basename))
        found.local.append(file)

def _read_files(ctx, found, inputs):
    """Has what the image's targets declare read, for the gate: each tree once, and all single files together."""
    files = [each for each in found.entries if each.kind == "file"]
    trees = {each.file: True for each in found.entries if each.kind == "tree"}
    read_files(ctx, ctx.label.name, inputs, "Facts", files, list(trees))
    if ctx.attr.closure == "files":
        read_files(ctx, ctx.label.name, inputs, "Mentions", files, list(trees))
        return {name: file for name, file in inputs.items() if name.startswith("mentions/")}
    read_files(ctx, ctx.label.name, inputs, "Mentions", files, [], more = {"texts": True})

    # What programs and trees name is asked only by who looks for what nothing reaches.
    others = dict(inputs)
    read_files(ctx, ctx.label.name, others, "Mentions", files, list(trees), first = 1)
    return {name: file for name, file in others.items() if name.startswith("mentions/")}

def _unreached(ctx, closure, composed, inputs, mentions, gate):
    """Lists what nothing in the image leads to, for who asks."""
    taken = {name: file for name, file in composed.items() if name.startswith("recipe/") or name == "report"}
    taken |= {
        name: file
        for name, file in inputs.items()
        if name.startswith("facts/") or (name.startswith(("deb/", "offer/")) and not name.endswith("/tree"))
    }
    taken |= mentions | {"deb/%s/mentions" % deb.name: deb.mentions for deb in closure.debs}
    ctx.actions.tool(
        mnemonic = "Unreached",
        inputs = taken,
        outputs = {"unreached": ctx.actions.declare_file(ctx.label.name + ".unreached")},
        parameters = {"platform": ctx.platform.name, "gate": gate, "keep": [item for item in ctx.attr.keep if item.startswith("/")]},
        progress_message = "Looking for what nothing reaches in " + ctx.label.canonical,
    )

def _debs(items):
    """Those of `exclude` or `keep` that are debs and no paths."""
    return [item for item in items if not item.startswith("/")]

def _read_all(ctx, found, mnemonic):
    """Has what the image's targets declare read for another purpose than the gate's; gives names of inputs and Files."""
    made = {}
    files = [each for each in found.entries if each.kind == "file"]
    trees = {each.file: True for each in found.entries if each.kind == "tree"}
    read_files(ctx, ctx.label.name, made, mnemonic, files, list(trees))
    return made

def _named_debs(ctx, closure):
    """The debs that `contents` names; of others only what is reached is needed."""
    named = [dep[DebInfo].name for dep in ctx.attr.contents if DebInfo in dep]
    return sorted(named + [deb.name for deb in closure.debs if not deb.archive])

def _compose(ctx, found, closure, layers, config):
    """Decides every path of the image; gives recipes of layers, archives of debs that are offered, and what the policy judges."""
    inputs = {}
    placed = [each.file for each in found.entries if each.file != None]
    offers = offered(ctx, placed, inputs, _debs(ctx.attr.exclude), _debs(ctx.attr.keep))
    for deb in closure.debs:
        inputs["deb/%s/index" % deb.name] = deb.index
        inputs["deb/%s/tree" % deb.name] = deb.tree
        inputs["deb/%s/facts" % deb.name] = deb.facts
        if ctx.attr.closure == "files":
            inputs["deb/%s/mentions" % deb.name] = deb.mentions
    if ctx.attr.closure == "files":
        inputs |= offers.mentions
    mentions = _read_files(ctx, found, inputs)
    for deb in closure.base:
        inputs["base/%s/index" % deb.name] = deb.index
        inputs["base/%s/tree" % deb.name] = deb.tree
    rows = file_rows(found.entries, inputs)
    certificates = []
    for file in found.certificates:
        name = "certificate/" + file.basename.removesuffix("." + file.extension) + ".crt"
        if inputs.setdefault(name, file) != file:
            fail("%s and %s are certificates of one name; rename one of them" % (inputs[name].short_path, file.short_path))
        certificates.append(name)
    gate = {name: config[name] for name in ("entrypoint", "cmd", "env", "workdir", "volumes")} | {
        "allow_missing": ctx.attr.allow_missing,
        "closure": ctx.attr.closure,
        "whole": _named_debs(ctx, closure),
        "excluded": _debs(ctx.attr.exclude),
    }
    recipes = ["recipe/" + _two_digits(number) for number in range(len(layers))] + ["recipe/system", "recipe/app"]
    outputs = {name: ctx.actions.declare_file("%s.%s" % (ctx.label.name, name)) for name in recipes}
    outputs["generated"] = ctx.actions.declare_file(ctx.label.name + ".generated")
    outputs["report"] = ctx.actions.declare_file(ctx.label.name + ".report")
    ctx.actions.tool(
        mnemonic = "Compose",
        inputs = inputs,
        outputs = outputs,
        parameters = {
            "layers": layers,
            "files": rows,
            "users": [{"name": u.name, "uid": u.uid, "gid": u.gid, "home": u.home, "shell": u.shell, "gecos": u.gecos, "groups": u.groups, "label": u.label} for u in found.users],
            "groups": [{"name": g.name, "gid": g.gid, "members": g.members, "label": g.label} for g in found.groups],
            "defaults": ctx.attr.default_accounts,
            "os_release": found.os_release or None,
            "exclude": [item for item in ctx.attr.exclude if item.startswith("/")],
            "excluded": _debs(ctx.attr.exclude),
            "keep": [item for item in ctx.attr.keep if item.startswith("/")],
            "kept": _debs(ctx.attr.keep),
            "accept": ctx.attr.accept,
            "platform": ctx.platform.name,
            "user": ctx.attr.user,
            "timezone": ctx.attr.timezone or None,
            "ca_bundle": certificates,
            "locales": ctx.attr.locales,
            "cut": closure.cuts,
            "gate": gate,
            "offers": offers.rows,
            "barred": ctx.debs.barred(placed, exclude = _debs(ctx.attr.exclude), keep = _debs(ctx.attr.keep)),
        },
        progress_message = "Composing %s (%d debs)" % (ctx.label.canonical, len(closure.debs)),
    )
    _unreached(ctx, closure, outputs, inputs, mentions | offers.mentions, gate)
    findings = find(ctx, closure, offers.debs, outputs, inputs | _read_all(ctx, found, "Screen"), found, config, gate)
    return outputs, offers, findings

def _layer(ctx, name, recipe, blobs, kib, offers = []):
    """Writes one layer of about `kib` KiB; gives its blob and descriptor."""
    blob = ctx.actions.declare_file("%s.layer/%s" % (ctx.label.name, name))
    descriptor = ctx.actions.declare_file("%s.layer/%s.json" % (ctx.label.name, name))
    inputs = {"recipe": recipe}
    for at, file in enumerate(blobs):
        inputs["blob/%d" % at] = file
    for at, file in enumerate(offers):
        inputs["offer/%d" % at] = file
    ctx.actions.tool(
        mnemonic = "Layer",
        inputs = inputs,
        outputs = {"blob": blob, "descriptor": descriptor},
        parameters = {"compression": ctx.attr.compression, "compressor": ctx.compressors[ctx.attr.compression], "epoch": 0},
        progress_message = "Writing layer %s of %s" % (name, ctx.label.canonical),
        weight = kib * 1024,
    )
    return struct(blob = blob, descriptor = descriptor, name = name)

def _layers(ctx, found, closure, config):
    """Writes every layer; gives them in order, what Compose gave, what holds their bytes, and all their files as one tree."""
    least = 1 + int(bool(closure.debs)) + int(bool(found.entries))
    if ctx.attr.layer_budget < least:
        fail("a layer_budget of %d is too small; debs, system files and files of no deb need %d layers here" % (ctx.attr.layer_budget, least))
    debs = {deb.name: deb for deb in closure.debs}
    groups = deb_layers(closure.debs, max(1, ctx.attr.layer_budget - 2))
    composed, offers, findings = _compose(ctx, found, closure, groups, config)
    layers = []
    for at, names in enumerate(groups):
        kib = sum_of([weight(debs[name]) for name in names])
        title = debs[names[0]].source if at < len(groups) - 1 or len(names) == 1 else "%d debs" % len(names)
        layers.append((title, _layer(ctx, _two_digits(at), composed["recipe/" + _two_digits(at)], [debs[name].tree for name in names], kib, offers.trees if at == len(groups) - 1 else [])))
    system = [composed["generated"]] + [deb.tree for deb in closure.base if deb.name not in debs] + [deb.tree for deb in closure.debs if deb.name in [base.name for base in closure.base]]
    layers.append(("system", _layer(ctx, "system", composed["recipe/system"], system, 1, [] if groups else offers.trees)))
    if found.entries:
        files = {each.file: True for each in found.entries if each.file != None}
        layers.append(("application", _layer(ctx, "app", composed["recipe/app"], list(files), 1)))
    blobs = [deb.tree for deb in closure.debs + closure.base] + offers.trees + [composed["generated"]]
    tree = put_together(ctx, ctx.label.name + ".tree", composed, blobs, found.entries, folders = ["dev", "proc", "sys", "tmp"])
    accounted = struct(debs = closure.debs + [deb for deb in offers.debs if deb.name not in debs], base = closure.base)
    return layers, composed, blobs, tree, accounted, findings

def _user_number(name, users):
    """The number of an account that the BUILD files declare; other names are the debs' and stay names."""
    for user in users:
        if user.name == name:
            return str(user.uid)
    return _WELL_KNOWN.get(name, name)

def _user_config(text, users):
    user, colon, group = text.partition(":")
    return _user_number(user, users) + colon + group

def _distroless_image(ctx):
    binary = ctx.attr.binary[RuntimeInfo] if ctx.attr.binary else None
    found = _gather(([ctx.attr.binary] if ctx.attr.binary else []) + ctx.attr.contents)
    closure = ctx.debs.closure(
        found.debs,
        local = found.local,
        exclude = _debs(ctx.attr.exclude),
        keep = _debs(ctx.attr.keep),
    )
    config = {
        "user": _user_config(ctx.attr.user, found.users),
        "labels": ctx.attr.labels,
        "exposed_ports": ctx.attr.exposed_ports,
        "stop_signal": ctx.attr.stop_signal,
        "entrypoint": ctx.attr.entrypoint or (binary.entrypoint if binary else []),
        "cmd": ctx.attr.cmd,
        "env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} | (binary.env if binary else {}) | ctx.attr.env,
        "workdir": ctx.attr.workdir,
        "volumes": ctx.attr.volumes,
    }
    layers, composed, sources, tree, accounted, findings = _layers(ctx, found, closure, config)
    report = composed["report"]
    held = hold(ctx, findings)
    outputs = {part: ctx.actions.declare_file("%s.%s" % (ctx.label.name, part)) for part in ("config", "manifest", "descriptor")}
    ctx.actions.tool(
        mnemonic = "Image",
        inputs = {"layer/" + _two_digits(at): layer.descriptor for at, (_, layer) in enumerate(layers)} | {"report": report, "verdict": held.verdict},
        outputs = outputs,
        parameters = config | {
            "platform": ctx.platform.name,
            "annotations": ctx.attr.annotations,
            "created": ctx.attr.created,
            "author": ctx.attr.author,
            "history": [title for title, _ in layers],
        },
        progress_message = "Writing the manifest of " + ctx.label.canonical,
    )
    blobs = [layer.blob for _, layer in layers]
    return [
        DefaultInfo(files = depset([outputs["manifest"]])),
        OciLayoutInfo(descriptor = outputs["descriptor"], blobs = [outputs["manifest"], outputs["config"]] + blobs, report = report, beside = {".policy.json": held.verdict, ".policy.sarif": held.sarif}),
        ImageInfo(
            manifest = outputs["manifest"],
            config = outputs["config"],
            descriptor = outputs["descriptor"],
            layers = blobs,
            report = report,
            platform = ctx.platform.name,
            tree = tree,
            findings = findings,
            sboms = sboms(
                ctx,
                accounted,
                composed,
                sources + [each.file for each in found.entries if each.file != None],
                _read_all(ctx, found, "Checksums"),
                outputs["config"],
                outputs["descriptor"],
            ),
        ),
    ]

distroless_image = rule(
    implementation = _distroless_image,
    doc = "An OCI image that holds what `contents` names and exactly what that needs at run time.",
    attrs = {
        "binary": attr.label(providers = [RuntimeInfo], doc = "A program that is built from source; with what it needs, and as the entrypoint."),
        "contents": attr.label_list(allow_files = [".deb"], doc = "Debs (`@archive//name` or a .deb file), files, users, groups, os_release, ca_certificates."),
        "entrypoint": attr.string_list(doc = "The program that is started, with its first arguments."),
        "cmd": attr.string_list(doc = "Arguments that `run` replaces."),
        "env": attr.string_dict(doc = "Environment variables."),
        "user": attr.string(default = "nonroot", doc = "Who the program runs as: `user` or `user:group`, names of the image's accounts or numbers."),
        "workdir": attr.string(default = "/", doc = "The folder that the program starts in."),
        "labels": attr.string_dict(doc = "Labels of the image's config."),
        "annotations": attr.string_dict(doc = "Annotations of the image's manifest."),
        "exposed_ports": attr.string_list(doc = "`8080/tcp`, `53/udp`."),
        "volumes": attr.string_list(doc = "Folders that hold data from outside."),
        "stop_signal": attr.string(doc = "The signal that ends the program: `SIGQUIT`."),
        "created": attr.int(default = 0, doc = "The image's date, seconds since 1970."),
        "author": attr.string(doc = "Who made the image."),
        "exclude": attr.string_list(doc = "Debs that must not be in the image, and globs of absolute paths."),
        "keep": attr.string_list(doc = "Debs whose dependencies are not cut, and globs of absolute paths that would be dropped."),
        "accept": attr.string_list(doc = "Debs whose maintainer scripts do something that is not modelled, and that are right without."),
        "allow_missing": attr.string_list(doc = "What files need and the image need not have: names of libraries, absolute paths, `python:<module>`; `*` stands for any text."),
        "timezone": attr.string(doc = "What /etc/localtime is: `Europe/Berlin`; tzdata must be in `contents`."),
        "locales": attr.string_list(doc = "Languages whose translations are kept."),
        "default_accounts": attr.bool(default = True, doc = "Whether root and nonroot are there."),
        "layer_budget": attr.int(default = 10, doc = "How many layers the image may have: one for the system's own files, one for files of no deb, the others for debs."),
        "closure": attr.string(default = "packages", values = ["packages", "files"], doc = "What debs bring that are there only because others need them: all their files, or those that are reached from the program and from what `contents` names."),
        "policy": attr.label(default = "@distroless_rules//toolchains:policy", providers = [PolicyInfo], stage = "build", doc = "What the image is held to: an `image_policy`. Left out: the one that distroless.toml registers, else every check, no waiver and no budget (docs/policy.md)."),
        "waive": attr.string_dict(doc = "What the policy lets pass in this image, and why: from a check, or `check:/path/*`, to the reason (docs/policy.md)."),
        "compression": attr.string(default = "gzip", values = ["gzip", "zstd", "none"], doc = "How layers are compressed."),
    },
    provides = [ImageInfo],
)
