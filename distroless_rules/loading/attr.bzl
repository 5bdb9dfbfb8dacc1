"""`attr`: the kinds of attributes that a rule can have; `loading.attributes` reads the dictionaries that they give."""

def _attribute_(type_, default, mandatory, doc, **more):
    return dict(type = type_, default = default, mandatory = mandatory, doc = doc, **more)

def _label_attribute_(type_, default, mandatory, doc, allow_files, providers, stage, cfg, **more):
    if cfg not in (None, "exec", "target"):
        fail("attr.%s: cfg must be \"exec\" or \"target\", not \"%s\"" % (type_, cfg))
    if stage not in ("build", "runtime"):
        fail("attr.%s: stage must be \"build\" or \"runtime\", not \"%s\"" % (type_, stage))
    return _attribute_(type_, default, mandatory, doc, allow_files = allow_files, providers = providers, stage = stage, execution = cfg == "exec", **more)

def string_(default = "", *, mandatory = False, doc = "", values = [], configurable = True):
    return _attribute_("string", default, mandatory, doc, values = values, configurable = configurable)

def bool_(default = False, *, mandatory = False, doc = ""):
    return _attribute_("bool", default, mandatory, doc)

def int_(default = 0, *, mandatory = False, doc = "", values = []):
    return _attribute_("int", default, mandatory, doc, values = values)

def string_list_(default = [], *, mandatory = False, allow_empty = True, doc = "", configurable = True):
    return _attribute_("string_list", default, mandatory, doc, allow_empty = allow_empty, configurable = configurable)

def int_list_(default = [], *, mandatory = False, allow_empty = True, doc = ""):
    return _attribute_("int_list", default, mandatory, doc, allow_empty = allow_empty)

def string_dict_(default = {}, *, mandatory = False, allow_empty = True, doc = "", configurable = True):
    return _attribute_("string_dict", default, mandatory, doc, allow_empty = allow_empty, configurable = configurable)

def string_list_dict_(default = {}, *, mandatory = False, allow_empty = True, doc = ""):
    return _attribute_("string_list_dict", default, mandatory, doc, allow_empty = allow_empty)

def label_(default = None, *, mandatory = False, doc = "", allow_files = False, allow_single_file = None, providers = [], stage = "runtime", platforms = None, cfg = None, executable = False):
    return _label_attribute_("label", default, mandatory, doc, allow_single_file if allow_single_file != None else allow_files, providers, stage, cfg, single_file = allow_single_file != None, platforms = platforms)

def label_list_(default = [], *, mandatory = False, allow_empty = True, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None, configurable = True):
    return _label_attribute_("label_list", default, mandatory, doc, allow_files, providers, stage, cfg, allow_empty = allow_empty, configurable = configurable)

def label_keyed_string_dict_(default = {}, *, mandatory = False, allow_empty = True, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None):
    return _label_attribute_("label_keyed_string_dict", default, mandatory, doc, allow_files, providers, stage, cfg, allow_empty = allow_empty)

def string_keyed_label_dict_(default = {}, *, mandatory = False, allow_empty = True, allow_list = False, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None):
    return _label_attribute_("string_keyed_label_dict", default, mandatory, doc, allow_files, providers, stage, cfg, allow_empty = allow_empty, allow_list = allow_list)

def output_(*, mandatory = False, doc = ""):
    return _attribute_("output", None, mandatory, doc)

def output_list_(*, mandatory = False, doc = ""):
    return _attribute_("output_list", [], mandatory, doc)

attr = struct(
    string = string_,
    bool = bool_,
    int = int_,
    string_list = string_list_,
    int_list = int_list_,
    string_dict = string_dict_,
    string_list_dict = string_list_dict_,
    label = label_,
    label_list = label_list_,
    label_keyed_string_dict = label_keyed_string_dict_,
    string_keyed_label_dict = string_keyed_label_dict_,
    output = output_,
    output_list = output_list_,
)
