"""What `$(location LABEL)` and the like in attributes stand for."""

def named_files(ctx, deps, outs):
    """From each way to write a label to its files.

    Args:
        ctx: the rule's.
        deps: targets.
        outs: Files that the rule makes.
    """
    named = {}
    for dep in deps:
        label = dep[DefaultInfo].label
        files = dep[DefaultInfo].files.to_list()
        named[label.canonical] = files
        if label.package == ctx.label.package and not label.repo_name:
            named[label.name] = files
            named[":" + label.name] = files
    for file in outs:
        name = file.short_path.removeprefix(ctx.label.package + "/") if ctx.label.package else file.short_path
        named[name] = [file]
        named[":" + name] = [file]
    return named

def _variable(word, kind, named, variables):
    if word in variables:
        return " ".join(variables[word])
    verb, _, label = word.partition(" ")
    if verb in ("location", "locations", "execpath", "execpaths") and label:
        found = named.get(label.strip())
        if found == None:
            fail("$(%s): \"%s\" is none of srcs, tools and outs" % (word, label.strip()))
        if len(found) != 1 and not verb.endswith("s"):
            fail("$(%s): it has %d files; write $(%ss %s)" % (word, len(found), verb, label.strip()))
        return " ".join([file.path for file in found])
    fail("\"$(%s)\" is no variable of %s; write $$ for a dollar that the shell sees" % (word, kind))

def _short_variable(letter, variables):
    values = variables[letter]
    if len(values) != 1:
        fail("$%s needs one %s, and there are %d" % (letter, "output" if letter == "@" else "source", len(values)))
    return values[0]

def expanded(text, kind, named, variables = {}):
    """Replaces `$(location LABEL)` and its like, variables, and `$$` by a dollar.

    Args:
        text: where they are replaced.
        kind: the rule's name, for messages.
        named: what `named_files` gives.
        variables: from `X` to the words of `$(X)`; from `@` and `<` to those that `$@` and `$<` may be.
    """
    parts = text.replace("$$", "\0").split("$")
    done = [parts[0]]
    for part in parts[1:]:
        if part[:1] in variables:
            done.append(_short_variable(part[0], variables) + part[1:])
        elif part.startswith("(") and ")" in part:
            word, _, rest = part[1:].partition(")")
            done.append(_variable(word, kind, named, variables) + rest)
        else:
            fail("\"$%s\" is no variable of %s; write $$ for a dollar that the shell sees" % (part[:20], kind))
    return "".join(done).replace("\0", "$")
