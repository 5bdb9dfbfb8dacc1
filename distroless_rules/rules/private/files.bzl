"""`files`: files, folders and symbolic links at places in an image."""

load("//rules:providers.bzl", "FilesInfo")

def entry(label, path, kind, mode, owner, file = None, target = ""):
    """One path of an image.

    Args:
        label: the canonical label of the target that says so.
        path: absolute path in the image.
        kind: "file", "dir", "symlink", or "tree" for all that is in a directory.
        mode: octal text, or "" for the usual one.
        owner: "user:group", names or numbers.
        file: the File with its bytes.
        target: the text of a symbolic link.
    """
    if not path.startswith("/"):
        fail("\"%s\" is not an absolute path; did you mean \"/%s\"?" % (path, path))
    digits = mode.removeprefix("0") if len(mode) > 4 else mode
    if mode and (len(digits) not in (3, 4) or not all([digit in "01234567" for digit in digits.elems()])):
        fail("\"%s\" is not an octal mode such as \"0644\"" % mode)
    return struct(path = path, kind = kind, mode = mode, owner = owner, file = file, target = target, label = label)

def file_rows(entries, inputs):
    """The parameter `files` of the tool Compose; adds the files that it names to `inputs`."""
    rows = []
    for each in entries:
        row = {"path": each.path, "kind": each.kind, "mode": each.mode or None, "owner": each.owner, "target": each.target, "label": each.label}
        if each.file != None:
            row["input"] = "file/%d" % len(rows)
            inputs[row["input"]] = each.file
        rows.append(row)
    return rows

def source_entries(label, folder, files):
    """The entries of files that are below a folder as they are below the workspace's root."""
    return [
        entry(label, folder + "/" + file.short_path, "tree" if file.is_directory else "file", "", "0:0", file = file)
        for file in files
    ]

def main_source(ctx, extensions):
    """The source that runs where a target does not say: the only one of the language, or that with the target's name."""
    sources = [file for file in ctx.files.srcs if file.extension in extensions]
    named = [file for file in sources if file.basename.rpartition(".")[0] == ctx.label.name]
    if len(sources) != 1 and len(named) != 1:
        fail("which file is it that runs? give main = \"...\"; there is no %s.%s in srcs" % (ctx.label.name, extensions[0]))
    return (named or sources)[0]

def data_entries(ctx):
    """The entries of a program's `data`: below `/usr/local/share/<name>`, where they are below the BUILD file."""
    folder = "/usr/local/share/%s/" % ctx.label.name
    return [
        entry(ctx.label.canonical, folder + file.short_path.removeprefix(ctx.label.package + "/"), "tree" if file.is_directory else "file", "", "0:0", file = file)
        for file in ctx.files.data
    ]

def _relative(file, package, strip_prefix):
    """The path of a file below its package, or below `strip_prefix`."""
    path = file.short_path
    prefix = strip_prefix.removeprefix("/") if strip_prefix.startswith("/") else "/".join([part for part in (package, strip_prefix) if part])
    if prefix and path.startswith(prefix + "/"):
        return path[len(prefix) + 1:]
    if strip_prefix:
        fail("%s is not below strip_prefix \"%s\"" % (path, strip_prefix))
    return file.basename

def _places(ctx):
    """Gives (path in the image, File) pairs."""
    places = []
    for path, dep in ctx.attr.srcs.items():
        found = dep[DefaultInfo].files.to_list()
        if not path:
            for file in found:
                places.append((ctx.attr.prefix.rstrip("/") + "/" + _relative(file, ctx.label.package, ctx.attr.strip_prefix), file))
        elif path.endswith("/"):
            for file in found:
                places.append((path + _relative(file, ctx.label.package, ctx.attr.strip_prefix), file))
        elif len(found) == 1:
            places.append((path, found[0]))
        else:
            fail("%s has %d files, so \"%s\" must be a folder: write \"%s/\"" % (dep[DefaultInfo].label.canonical, len(found), path, path))
    return places

def _files(ctx):
    label = ctx.label.canonical
    entries = []
    for path in ctx.attr.directories:
        entries.append(entry(label, path, "dir", ctx.attr.modes.get(path, ctx.attr.directory_mode), ctx.attr.owners.get(path, ctx.attr.owner)))
    sources = _places(ctx)
    for path, file in sources:
        kind = "tree" if file.is_directory else "file"
        mode = ctx.attr.modes.get(path, "" if file.is_directory else ctx.attr.mode)
        entries.append(entry(label, path, kind, mode, ctx.attr.owners.get(path, ctx.attr.owner), file = file))
    for path, target in ctx.attr.symlinks.items():
        entries.append(entry(label, path, "symlink", "", ctx.attr.owners.get(path, ctx.attr.owner), target = target))
    known = {each.path: True for each in entries}
    for path in list(ctx.attr.modes) + list(ctx.attr.owners):
        if path not in known:
            fail("modes and owners name \"%s\", which is not among the files" % path)
    return [
        DefaultInfo(files = depset([file for _, file in sources])),
        FilesInfo(entries = depset(entries)),
    ]

files = rule(
    implementation = _files,
    doc = "Files, folders and symbolic links at places in an image.",
    attrs = {
        "srcs": attr.string_keyed_label_dict(
            allow_files = True,
            allow_list = True,
            doc = "From the path in the image to the file; a path that ends with `/` takes any number of files. A list " +
                  "of labels puts each under `prefix`.",
        ),
        "prefix": attr.string(default = "/", doc = "The folder in the image for a list of `srcs`."),
        "strip_prefix": attr.string(doc = "Keep the folders below this one, relative to the package; without it only file names are kept."),
        "directories": attr.string_list(doc = "Folders to make."),
        "symlinks": attr.string_dict(doc = "From the path in the image to what the link says."),
        "mode": attr.string(default = "0644", doc = "Permissions of the files, octal."),
        "directory_mode": attr.string(default = "0755", doc = "Permissions of the folders, octal."),
        "owner": attr.string(default = "0:0", doc = "`user:group`, names of the image's accounts or numbers."),
        "modes": attr.string_dict(doc = "Permissions of single paths."),
        "owners": attr.string_dict(doc = "Owners of single paths."),
    },
    provides = [FilesInfo],
)
