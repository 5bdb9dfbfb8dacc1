"""`build_root`: debs become the file system that commands of the build stage see."""

load("//rules:providers.bzl", "BuildRootInfo", "DebInfo")
load("//rules/private:roots.bzl", "MOUNTED", "compose_root", "put_together")

def _build_root(ctx):
    roots = [dep[DebInfo] for dep in ctx.attr.debs if DebInfo in dep]
    local = [file for dep in ctx.attr.debs if DebInfo not in dep for file in dep[DefaultInfo].files.to_list()]
    for file in local:
        if file.extension != "deb":
            fail("%s is no deb; a build root is made of debs" % file.short_path)
    closure = ctx.debs.closure(roots, local = local, exclude = ctx.attr.exclude, keep = ctx.attr.keep, stage = "build")
    links = {path.removeprefix("/"): target for path, target in ctx.attr.symlinks.items()}

    # A build needs what an image does not: headers, static libraries, what scripts only prepare.
    made = compose_root(ctx, ctx.label.name, closure, keep = ["/**"])
    tree = put_together(ctx, ctx.label.name, made.composed, made.blobs, [], empty = MOUNTED, links = links)
    return [
        DefaultInfo(files = depset([tree])),
        BuildRootInfo(
            tree = tree,
            env = ctx.attr.env,
            parts = struct(
                composed = made.composed,
                blobs = made.blobs,
                links = links,
                versions = {deb.name: [deb.architecture, deb.archive, deb.version] for deb in closure.debs},
            ),
        ),
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
