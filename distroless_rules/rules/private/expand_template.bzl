"""`expand_template`: a file in which words are replaced."""

def _expand_template(ctx):
    ctx.actions.expand_template(
        template = ctx.file.template,
        output = ctx.outputs.out,
        substitutions = ctx.attr.substitutions,
    )
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

expand_template = rule(
    implementation = _expand_template,
    doc = "A file in which words are replaced.",
    attrs = {
        "template": attr.label(mandatory = True, allow_single_file = True, stage = "build", doc = "The file to start from."),
        "out": attr.output(mandatory = True, doc = "The file's name."),
        "substitutions": attr.string_dict(doc = "From the word to what takes its place."),
    },
)
