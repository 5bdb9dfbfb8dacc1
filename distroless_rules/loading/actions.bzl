"""What a rule's `ctx` can do: files, `ctx.actions` and `ctx.debs`.

Goes in: Python functions, whose names begin and end with an underscore, that `actions.context` provides.
"""

load("@builtin/args.bzl", "args_")

def file_(row):
    return struct(
        file_ = row[0],
        path = row[1],
        short_path = row[2],
        basename = row[3],
        dirname = row[4],
        extension = row[5],
        is_source = row[6],
        owner = row[7],
        is_directory = row[8],
    )

def is_file_(value):
    return type(value) == "struct" and hasattr(value, "file_")

def id_(what, value):
    if not is_file_(value):
        fail("%s must be a File, not %s" % (what, type(value)))
    return value.file_

def _tool_(*, mnemonic, inputs = {}, outputs = {}, parameters = {}, progress_message = "", stage = "runtime", weight = 0):
    """An action that this program's own code performs; `mnemonic` names the tool."""
    _add_action_(json.encode({
        "mnemonic": mnemonic,
        "inputs": {name: id_("input \"%s\"" % name, file) for name, file in inputs.items()},
        "outputs": {name: id_("output \"%s\"" % name, file) for name, file in outputs.items()},
        "parameters": parameters,
        "progress": progress_message,
        "stage": stage,
        "weight": weight,
    }))

def _write_(output, content, *, is_executable = False):
    if type(content) != "string":
        fail("actions.write: content must be a string, not %s" % type(content))
    _tool_(
        mnemonic = "WriteFile",
        outputs = {"out": output},
        parameters = {"content": content},
        progress_message = "Writing " + output.short_path,
    )

def _expand_template_(*, template, output, substitutions):
    _tool_(
        mnemonic = "ExpandTemplate",
        inputs = {"template": template},
        outputs = {"out": output},
        parameters = {"substitutions": substitutions},
        progress_message = "Expanding " + output.short_path,
    )

def _declared_(name, sibling, tree):
    return file_(json.decode(_declare_file_(name, id_("sibling", sibling) if sibling != None else None, tree)))

def _files_(what, files):
    """The numbers of the files in a list or depset."""
    if type(files) == "struct" and hasattr(files, "depset_"):
        files = files.to_list()
    if type(files) != "list":
        fail("%s must be a list or depset of Files, not %s" % (what, type(files)))
    return [id_("what %s holds" % what, file) for file in files]

def _run_(*, executable, outputs, root, inputs = [], tools = [], arguments = [], env = {}, mnemonic = "Run", progress_message = "", timeout = 3600, log = None, execution_requirements = {}):
    """An action that runs a program in a sandbox whose `/` is `root`; it sees its inputs and nothing else.

    `log`, a File, takes what it prints. With "local" or "no-remote" among `execution_requirements` it runs on this
    machine, wherever others run.
    """
    program = executable
    extra = []
    if is_file_(executable):
        program = executable.path if "/" in executable.path else "./" + executable.path
        extra = [executable.file_]
    if type(program) != "string":
        fail("actions.run: executable must be a File or a string, not %s" % type(executable))
    if type(timeout) != "int" or timeout < 1:
        fail("actions.run: timeout must be a number of seconds")
    words = [program]
    for argument in arguments:
        if type(argument) == "struct" and hasattr(argument, "args_"):
            words.extend(argument.args_(_declared_, _write_, extra, outputs))
        elif type(argument) == "string":
            words.append(argument)
        else:
            fail("actions.run: arguments holds strings and args(), not %s; write File.path for a File" % type(argument))
    _add_run_(json.encode({
        "mnemonic": mnemonic,
        "root": id_("root", root),
        "inputs": _files_("inputs", inputs) + _files_("tools", tools) + extra,
        "outputs": _files_("outputs", outputs),
        "log": id_("log", log) if log != None else None,
        "arguments": words,
        "environment": env,
        "progress": progress_message,
        "seconds": timeout,
        "requirements": _requirements_(execution_requirements),
    }))

def _requirements_(given):
    """The names of a dict of requirements; their values mean nothing."""
    if type(given) != "dict" or [name for name in given if type(name) != "string"]:
        fail("actions.run: execution_requirements must be a dict with strings as keys")
    return list(given)

def _run_shell_(*, command, arguments = [], mnemonic = "Shell", **others):
    """An action that runs a command of the shell that is in `root`; `arguments` are its `$1`, `$2`, ..."""
    if type(command) != "string":
        fail("actions.run_shell: command must be a string, not %s" % type(command))
    _run_(executable = "/bin/sh", arguments = ["-e", "-c", command, "sh"] + arguments, mnemonic = mnemonic, **others)

actions_ = struct(
    args = args_,
    declare_directory = lambda filename, *, sibling = None: _declared_(filename, sibling, True),
    declare_file = lambda filename, *, sibling = None: _declared_(filename, sibling, False),
    expand_template = _expand_template_,
    run = _run_,
    run_shell = _run_shell_,
    tool = _tool_,
    write = _write_,
)

def _deb_(row):
    return struct(
        name = row["name"],
        archive = row["archive"],
        version = row["version"],
        architecture = row["architecture"],
        source = row["source"],
        size = row["size"],
        installed_size = row["installed_size"],
        index = file_(row["index"]),
        tree = file_(row["tree"]),
        facts = file_(row["facts"]),
        mentions = file_(row["mentions"]),
        checksums = file_(row["checksums"]),
        sha256 = row["sha256"],
        screen = file_(row["screen"]),
    )

def _closure_(roots, *, local = [], exclude = [], keep = [], stage = "runtime"):
    """The debs that `roots` (structs with `archive` and `name`) and `local` files need at run time, unpacked.

    For the runtime `stage` each root must be named by an attribute that is not of the build stage.
    `cuts` are the dependencies that the image does not need, each with its reason.
    """
    found = _deb_closure_([[root.archive, root.name] for root in roots], [id_("local", file) for file in local], exclude, keep, stage)
    return struct(
        debs = [_deb_(row) for row in found["debs"]],
        base = [_deb_(row) for row in found["base"]],
        cuts = found["cuts"],
    )

def _offers_(files, *, exclude = [], keep = []):
    """The debs that commands ran among on the way to `files`: what an image takes needed libraries from.

    Each is a struct: deb, `needs` (names of it and of what it needs at run time), `depends` (those on which it depends
    itself) and `cuts` as `closure` has them.
    """
    found = _deb_offers_([id_("files", file) for file in files], exclude, keep)
    return [struct(deb = _deb_(row["deb"]), needs = row["needs"], depends = row["depends"], cuts = row["cuts"]) for row in found]

def _barred_(files, *, exclude = [], keep = []):
    """Those of `exclude` that `offers` would give, or what they need, if they were not excluded."""
    return _deb_barred_([id_("files", file) for file in files], exclude, keep)

debs_ = struct(closure = _closure_, offers = _offers_, barred = _barred_)
