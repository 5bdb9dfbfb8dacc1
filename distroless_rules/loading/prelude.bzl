"""What every file knows without a load: rule(), attr, provider(), depset(), select(), and the rest.

Goes in: names that end with an underscore and begin with one (`_declare_`), which are Python functions that
`loading.loader` and `actions.context` provide. Comes out: the public names below, and `run_`, which analyses targets
one after another inside one evaluation, so that providers never leave Starlark.
"""

load("@builtin/actions.bzl", "actions_", "debs_", "file_", "id_")
load("@builtin/attr.bzl", attr_ = "attr")
load("@builtin/values.bzl", "flatten_", "shown_")

attr = attr_

# --- providers ------------------------------------------------------------------------------------------------------

def provider(doc = "", *, fields = None):
    """Makes a provider: a callable that gives structs, and the key under which a target holds one."""
    names = []

    def provider_(_export = None, _name = False, **values):
        if _export != None:
            if not names:
                names.append(_export)
                _provided_(_export, doc, json.encode(fields))
            return None
        if _name:
            return names[0] if names else "a provider"
        if fields != None:
            for key in values:
                if key not in fields:
                    fail("%s has no field \"%s\"; it has %s" % (
                        names[0] if names else "the provider",
                        key,
                        ", ".join(["\"%s\"" % known for known in fields]),
                    ))
        return struct(provider_ = provider_, **values)

    return provider_

DefaultInfo = provider(
    doc = "What every target gives: its files.",
    fields = ["files", "label", "executable"],
)
DefaultInfo(_export = "DefaultInfo")

OciLayoutInfo = provider(
    doc = "Blobs that together are an OCI image layout; `distroless build` writes it, `distroless run` starts it.",
    fields = ["descriptor", "blobs", "report", "beside"],
)
OciLayoutInfo(_export = "OciLayoutInfo")

TestInfo = provider(
    doc = "Tests; `distroless test` runs the actions that make their logs, each a run action with `log`.",
    fields = {"logs": "A depset of Files: for each test the one that takes what it prints."},
)
TestInfo(_export = "TestInfo")

# --- depset ---------------------------------------------------------------------------------------------------------

def depset(direct = [], *, order = "default", transitive = []):
    """A set of hashable elements that shares its parts with others; flatten it once, with `to_list()`."""
    if type(direct) != "list":
        fail("depset: direct must be a list, not %s" % type(direct))
    if order not in ("default", "preorder", "postorder", "topological"):
        fail("depset: order must be default, preorder, postorder or topological, not \"%s\"" % order)
    for part in transitive:
        if type(part) != "struct" or not hasattr(part, "depset_"):
            fail("depset: transitive must hold depsets, not %s" % type(part))
    node = struct(depset_ = _serial_(), direct = direct, transitive = transitive, order = order)
    return struct(
        depset_ = node.depset_,
        node_ = node,
        to_list = lambda: flatten_(node),
    )

# --- rules ----------------------------------------------------------------------------------------------------------

def _plain_(schema):
    """The part of an attribute's schema that Python can hold: providers are functions and stay here."""
    return {key: value for key, value in schema.items() if key != "providers"}

def rule(implementation, *, attrs = {}, doc = "", provides = [], executable = False, test = False):
    """Declares a kind of target; what it gives is called from BUILD files.

    The same function, called with `_analyse`, runs the implementation for one target.
    """
    if type(implementation) != "function":
        fail("rule: implementation must be a function, not %s" % type(implementation))
    for name in attrs:
        if type(attrs[name]) != "dict" or "type" not in attrs[name]:
            fail("rule: attribute \"%s\" must be made by attr.*(), not %s" % (name, type(attrs[name])))
    identity = _rule_(str(implementation), {name: _plain_(schema) for name, schema in attrs.items()}, doc)

    def rule_(*positional, _export = None, _analyse = None, **values):
        if _export != None:
            return _export_(identity, _export)
        if _analyse != None:
            return _run_implementation_(implementation, attrs, provides, _analyse)
        if positional:
            fail("a rule takes keyword arguments only, as in name = \"...\"")
        return _declare_(identity, json.encode(values), call_stack(strip_frames = 1))

    return rule_

def collect_(candidates):
    """Names the rules and providers of a file, and gives the function by which they are found again."""
    rules = {}
    for name, value in candidates.items():
        if type(value) == "function":
            made = str(value)
            if made.endswith("prelude.bzl.rule_"):
                identity = value(_export = name)
                rules[identity] = value
            elif made.endswith("prelude.bzl.provider_"):
                value(_export = name)

    def dispatch(identity, request):
        return rules[identity](_analyse = request)

    return dispatch

# --- files and targets as a rule sees them --------------------------------------------------------------------------

def label_(row):
    """A label as rules see it."""
    return struct(repo_name = row[0], workspace_name = row[0], package = row[1], name = row[2], canonical = row[3])

def _source_(request):
    return {DefaultInfo: DefaultInfo(files = depset([file_(request["file"])]), label = label_(request["label"]))}

def _check_providers_(name, wanted, dep, where):
    if not wanted:
        return
    alternatives = wanted if type(wanted[0]) == "list" else [wanted]
    for alternative in alternatives:
        missing = [key for key in alternative if key not in dep]
        if not missing:
            return
    fail("attribute \"%s\" takes targets that give %s; %s does not" % (
        name,
        " or ".join([" and ".join([key(_name = True) for key in alternative]) for alternative in alternatives]),
        dep[DefaultInfo].label.canonical,
    ))

def _dependencies_(refs, kind, results):
    """Gives (the attribute's value, the targets in it)."""
    if kind == "label":
        value = results[refs] if refs != None else None
        return value, ([value] if value != None else [])
    if kind == "label_list":
        value = [results[ref] for ref in refs]
        return value, value
    pairs = [(key, results[ref]) for key, ref in refs]
    if kind == "label_keyed_string_dict":
        pairs = [(dep, text) for text, dep in pairs]
        keys = [dep for dep, _ in pairs]
        return struct(items = lambda: pairs, keys = lambda: keys, values = lambda: [text for _, text in pairs]), keys
    deps = [dep for _, dep in pairs]
    return struct(items = lambda: pairs, keys = lambda: [key for key, _ in pairs], values = lambda: deps), deps

def _context_(request, schemas, results):
    values = dict(request["attrs"])
    files = {}
    single = {}
    for name, (kind, refs) in request["deps"].items():
        value, deps = _dependencies_(refs, kind, results)
        wanted = schemas[name].get("providers") if name in schemas else None
        if wanted:
            for dep in deps:
                _check_providers_(name, wanted, dep, request)
        values[name] = value
        found = []
        for dep in deps:
            found.extend(dep[DefaultInfo].files.to_list())
        files[name] = found
        if kind == "label":
            if deps and name in schemas and schemas[name].get("single_file") and len(found) != 1:
                fail("attribute \"%s\" takes one file; %s has %d" % (name, deps[0][DefaultInfo].label.canonical, len(found)))
            single[name] = found[0] if len(found) == 1 else None
    outputs = {}
    for name, rows in request["outputs"].items():
        outputs[name] = [file_(row) for row in rows] if type(rows) == "list" and rows and type(rows[0]) == "list" else (file_(rows) if rows else rows)
    return struct(
        attr = struct(**values),
        files = struct(**files),
        file = struct(**single),
        outputs = struct(**outputs),
        label = label_(request["label"]),
        platform = struct(**request["platform"]),
        exec_platform = struct(**request["exec_platform"]),
        compressors = request["compressors"],
        actions = actions_,
        debs = debs_,
    )

def _run_implementation_(implementation, schemas, provides, analyse):
    request, results = analyse
    returned = implementation(_context_(request, schemas, results))
    if returned == None:
        returned = []
    if type(returned) != "list":
        returned = [returned]
    given = {}
    for instance in returned:
        if type(instance) != "struct" or not hasattr(instance, "provider_"):
            fail("an implementation returns a list of provider instances, not %s" % type(instance))
        if instance.provider_ in given:
            fail("the implementation returned %s twice" % instance.provider_(_name = True))
        given[instance.provider_] = instance
    for wanted in provides:
        if wanted not in given:
            fail("the rule promises %s, but its implementation did not return it" % wanted(_name = True))
    return given

def _with_defaults_(given, request):
    declared = given.get(DefaultInfo)
    files = getattr(declared, "files", None) if declared != None else None
    if files == None:
        files = depset([file_(row) for row in json.decode(_declared_outputs_())])
    if type(files) != "struct" or not hasattr(files, "depset_"):
        fail("DefaultInfo.files must be a depset, not %s" % type(files))
    given = dict(given)
    given[DefaultInfo] = DefaultInfo(
        files = files,
        label = label_(request["label"]),
        executable = getattr(declared, "executable", None) if declared != None else None,
    )
    return given

def _summary_(given):
    """What the spine must know of a target that was asked for: file numbers only."""
    layout = given.get(OciLayoutInfo)
    tests = given.get(TestInfo)
    return {
        "tests": [] if tests == None else [id_("what TestInfo.logs holds", log) for log in tests.logs.to_list()],
        "files": [id_("what DefaultInfo.files holds", file) for file in given[DefaultInfo].files.to_list()],
        "layout": None if layout == None else {
            "descriptor": id_("OciLayoutInfo.descriptor", layout.descriptor),
            "blobs": [id_("OciLayoutInfo.blobs", blob) for blob in layout.blobs],
            "report": id_("OciLayoutInfo.report", layout.report) if getattr(layout, "report", None) != None else None,
            "beside": {suffix: id_("OciLayoutInfo.beside", file) for suffix, file in getattr(layout, "beside", {}).items()},
        },
    }

def run_(dispatchers):
    """Analyses what `_next_` asks for, dependencies first, until it asks for nothing."""
    results = {}
    summary = ""
    for _ in range(1 << 30):
        text = _next_(summary)
        if text == "":
            return
        request = json.decode(text)
        summary = ""
        if "file" in request:
            results[request["id"]] = _source_(request)
            continue
        given = dispatchers[request["module"]](request["rule"], (request, results))
        given = _with_defaults_(given, request)
        results[request["id"]] = given
        if request["wanted"]:
            summary = json.encode(_summary_(given))

# --- what BUILD files know without a load ---------------------------------------------------------------------------

def select(branches, *, no_match_error = ""):
    """A value that depends on the configuration; it adds to lists with `+`, and is resolved per target."""
    if type(branches) != "dict" or not branches:
        fail("select takes a dictionary of at least one branch")
    return [{"$select": branches, "$error": no_match_error}]

def glob(include = [], *, exclude = [], allow_empty = True, exclude_directories = 1):
    """Source files of this package that match; `**` crosses folders, never into another package."""
    return _glob_(include, exclude, allow_empty)

def package(*, default_visibility = None, default_testonly = None, features = None, licenses = None):
    _package_({"default_visibility": default_visibility})

def exports_files(srcs, *, visibility = None, licenses = None):
    _exports_files_(srcs, visibility)

def package_name():
    return _package_name_()

def repo_name():
    return _repo_name_()

def existing_rule(name):
    return _existing_rules_().get(name)

def existing_rules():
    return _existing_rules_()

def package_relative_label(text):
    return label_(_label_(text))

def Label(text):
    return label_(_label_(text))

def print(*values, sep = " "):
    # what is too long to be read does not cross: Python copies it
    _print_(sep.join([shown_(value, DefaultInfo) for value in values])[:20000], call_stack(strip_frames = 1))
