"""`write_file`: a file with the text given."""

def _write_file(ctx):
    content = "\n".join(ctx.attr.content)
    ctx.actions.write(ctx.outputs.out, content + "\n" if content else "")
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

write_file = rule(
    implementation = _write_file,
    doc = "A file with the text given.",
    attrs = {
        "out": attr.output(mandatory = True, doc = "The file's name."),
        "content": attr.string_list(doc = "Its lines."),
    },
)
