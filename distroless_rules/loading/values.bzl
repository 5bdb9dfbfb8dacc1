"""Values as rules see them: the text that is printed for one, and the elements of a depset."""

def shown_(value, default_info):
    """Gives the text of a value: labels, files, targets, depsets and lists of them as people write them.

    Args:
        value: anything.
        default_info: the provider that every target gives.
    """
    if type(value) == "string":
        return value
    if type(value) == "struct" and hasattr(value, "depset_"):
        return "depset(%s)" % shown_(list(value.to_list()), default_info)
    if type(value) == "list" and any([type(part) in ("struct", "dict") for part in value]):
        return "[%s]" % ", ".join([_one_(part, default_info) for part in value])
    return _one_(value, default_info)

def _one_(value, default_info):
    """Gives the text of a value that is not looked into: a list may hold itself."""
    if type(value) == "dict" and default_info in value:
        return "<target %s>" % value[default_info].label.canonical
    if type(value) == "struct" and hasattr(value, "file_"):
        return "<%s %s>" % ("source file" if value.is_source else "generated file", value.short_path)
    if type(value) == "struct" and hasattr(value, "canonical"):
        return value.canonical
    return repr(value)

def flatten_(root):
    """Gives the elements of a depset's root node in its order, each once."""
    elements = {}
    seen = {root.depset_: True}
    stack = [(root, 0)]
    preorder = root.order == "preorder"
    for _ in range(1 << 30):
        if not stack:
            break
        node, at = stack.pop()
        if at == 0 and preorder:
            for element in node.direct:
                elements[element] = True
        if at < len(node.transitive):
            stack.append((node, at + 1))
            child = node.transitive[at].node_
            if child.depset_ not in seen:
                seen[child.depset_] = True
                stack.append((child, 0))
        elif not preorder:
            for element in node.direct:
                elements[element] = True
    return elements.keys()
