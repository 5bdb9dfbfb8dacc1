"""`attr`: the kinds of attributes that a rule can have; `loading.attributes` reads the dictionaries that they give."""

def _attribute_(type_, default, mandatory, doc, **more):
    return dict(type = type_, default = default, mandatory = mandatory, doc = doc, **more)

def _label_attribute_(type_, default, mandatory, doc, allow_files, providers, stage, **more):
    if stage not in ("build", "runtime"):
        fail("attr.%s: stage must be \"build\" or \"runtime\", not \"%s\"" % (type_, stage))
    return _attribute_(type_, default, mandatory, doc, allow_files = allow_files, providers = providers, stage = stage, **more)

attr = struct(
    string = lambda default = "", *, mandatory = False, doc = "", values = [], configurable = True:
        _attribute_("string", default, mandatory, doc, values = values, configurable = configurable),
    bool = lambda default = False, *, mandatory = False, doc = "":
        _attribute_("bool", default, mandatory, doc),
    int = lambda default = 0, *, mandatory = False, doc = "", values = []:
        _attribute_("int", default, mandatory, doc, values = values),
    string_list = lambda default = [], *, mandatory = False, allow_empty = True, doc = "", configurable = True:
        _attribute_("string_list", default, mandatory, doc, allow_empty = allow_empty, configurable = configurable),
    int_list = lambda default = [], *, mandatory = False, allow_empty = True, doc = "":
        _attribute_("int_list", default, mandatory, doc, allow_empty = allow_empty),
    string_dict = lambda default = {}, *, mandatory = False, allow_empty = True, doc = "", configurable = True:
        _attribute_("string_dict", default, mandatory, doc, allow_empty = allow_empty, configurable = configurable),
    string_list_dict = lambda default = {}, *, mandatory = False, allow_empty = True, doc = "":
        _attribute_("string_list_dict", default, mandatory, doc, allow_empty = allow_empty),
    label = lambda default = None, *, mandatory = False, doc = "", allow_files = False, allow_single_file = None, providers = [], stage = "runtime", platforms = None, cfg = None, executable = False:
        _label_attribute_("label", default, mandatory, doc, allow_single_file if allow_single_file != None else allow_files, providers, stage, single_file = allow_single_file != None, platforms = platforms),
    label_list = lambda default = [], *, mandatory = False, allow_empty = True, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None, configurable = True:
        _label_attribute_("label_list", default, mandatory, doc, allow_files, providers, stage, allow_empty = allow_empty, configurable = configurable),
    label_keyed_string_dict = lambda default = {}, *, mandatory = False, allow_empty = True, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None:
        _label_attribute_("label_keyed_string_dict", default, mandatory, doc, allow_files, providers, stage, allow_empty = allow_empty),
    string_keyed_label_dict = lambda default = {}, *, mandatory = False, allow_empty = True, allow_list = False, doc = "", allow_files = False, providers = [], stage = "runtime", cfg = None:
        _label_attribute_("string_keyed_label_dict", default, mandatory, doc, allow_files, providers, stage, allow_empty = allow_empty, allow_list = allow_list),
    output = lambda *, mandatory = False, doc = "":
        _attribute_("output", None, mandatory, doc),
    output_list = lambda *, mandatory = False, doc = "":
        _attribute_("output_list", [], mandatory, doc),
)
