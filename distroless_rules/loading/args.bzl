"""`ctx.actions.args()`: a command line that is put together without making lists of depsets."""

def _text(value):
    if type(value) == "struct" and hasattr(value, "file_"):
        return value.path
    if type(value) == "struct" and hasattr(value, "canonical"):
        return value.canonical
    if type(value) in ("string", "int"):
        return str(value)
    fail("args: values are strings, numbers, Files and Labels, not %s" % type(value))

def _formatted(format, text):
    if format == None:
        return text
    if format.replace("%%", "").count("%s") != 1:
        fail("args: the format \"%s\" must hold %%s once" % format)
    return format.replace("%%", "\0").replace("%s", text).replace("\0", "%")

def _elements(values):
    if type(values) == "struct" and hasattr(values, "depset_"):
        return values.to_list()
    if type(values) != "list":
        fail("args: expected a list or depset, not %s" % type(values))
    return values

def _words(values, map_each, format_each, uniquify):
    words = []
    for value in _elements(values):
        mapped = map_each(value) if map_each != None else value
        if mapped == None:
            continue
        for each in (mapped if type(mapped) == "list" else [mapped]):
            words.append(_formatted(format_each, _text(each)))
    return {word: True for word in words}.keys() if uniquify else words

_BARE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%"

def _quoted(word):
    """A word as a POSIX shell, gcc and javac read it in a file of arguments."""
    if word and all([letter in _BARE for letter in word.elems()]):
        return word
    return "'" + word.replace("'", "'\\''") + "'"

def args_():
    """Makes a command line; see `actions.run(arguments = [...])`."""
    parts = []
    options = {"format": "shell"}

    def pair(name_or_value, value):
        if value == None:
            return None, name_or_value
        if type(name_or_value) != "string":
            fail("args: the name of an argument is a string, not %s" % type(name_or_value))
        return name_or_value, value

    def add(arg_name_or_value, value = None, *, format = None):
        name, value = pair(arg_name_or_value, value)
        parts.append(lambda: ([name] if name != None else []) + [_formatted(format, _text(value))])
        return self[0]

    def add_all(
            arg_name_or_values,
            values = None,
            *,
            map_each = None,
            format_each = None,
            before_each = None,
            omit_if_empty = True,
            uniquify = False,
            terminate_with = None):
        name, values = pair(arg_name_or_values, values)

        def words():
            found = []
            for word in _words(values, map_each, format_each, uniquify):
                found += ([before_each] if before_each != None else []) + [word]
            if not found and omit_if_empty:
                return []
            end = [terminate_with] if terminate_with != None else []
            return ([name] if name != None else []) + found + end

        parts.append(words)
        return self[0]

    def add_joined(
            arg_name_or_values,
            values = None,
            *,
            join_with,
            map_each = None,
            format_each = None,
            format_joined = None,
            omit_if_empty = True,
            uniquify = False):
        name, values = pair(arg_name_or_values, values)

        def words():
            found = _words(values, map_each, format_each, uniquify)
            if not found and omit_if_empty:
                return []
            return ([name] if name != None else []) + [_formatted(format_joined, join_with.join(found))]

        parts.append(words)
        return self[0]

    def use_param_file(param_file_arg, *, use_always = False):
        _formatted(param_file_arg, "")
        options["argument"] = param_file_arg
        options["always"] = use_always
        return self[0]

    def set_param_file_format(format):
        if format not in ("multiline", "shell"):
            fail("args: the format of a param file is \"multiline\" or \"shell\", not \"%s\"" % format)
        options["format"] = format
        return self[0]

    def render(declare, write, inputs, outputs):
        """The words; with a param file, one that names it, and the file is declared, written and added to `inputs`."""
        words = []
        for part in parts:
            words.extend(part())
        if "argument" not in options or not (options["always"] or _sum([len(word) + 1 for word in words]) > 30000):
            return words
        file = declare("%s-%d.params" % (outputs[0].basename, len(inputs)), outputs[0], False)
        shell = options["format"] == "shell"
        write(file, "".join([(_quoted(word) if shell else word) + "\n" for word in words]))
        inputs.append(file.file_)
        return [_formatted(options["argument"], file.path)]

    self = []
    self.append(struct(
        args_ = render,
        add = add,
        add_all = add_all,
        add_joined = add_joined,
        use_param_file = use_param_file,
        set_param_file_format = set_param_file_format,
    ))
    return self[0]

def _sum(numbers):
    """The sum of numbers."""
    total = 0
    for number in numbers:
        total += number
    return total
