"""`image_test`: whether an image holds what it should, and whether its programs run."""

load("//rules:providers.bzl", "ImageInfo")
load("//rules/private:tests.bzl", "SECONDS", "TIME_ATTRIBUTES")

def _image_test(ctx):
    image = ctx.attr.image[ImageInfo]
    log = ctx.actions.declare_file(ctx.label.name + ".test.log")
    configs = {"suite/%d" % at: file for at, file in enumerate(ctx.files.configs)}
    if not configs:
        fail("configs must name what is tested: at least one file")
    ctx.actions.tool(
        mnemonic = "ImageTest",
        inputs = {"config": image.config, "tree": image.tree} | configs,
        outputs = {"log": log},
        parameters = {
            "files": [file.short_path for file in ctx.files.configs],
            "image": ctx.attr.image[DefaultInfo].label.canonical,
            "seconds": ctx.attr.timeout or SECONDS[ctx.attr.size],
        },
        progress_message = "Testing " + ctx.label.canonical,
        stage = "build",
    )
    return [DefaultInfo(files = depset()), TestInfo(logs = depset([log]))]

image_test = rule(
    implementation = _image_test,
    doc = "A test of an image's files, metadata and commands, as container-structure-test writes it; commands run in the image's files, in a sandbox.",
    attrs = {
        "image": attr.label(mandatory = True, providers = [ImageInfo], stage = "build", doc = "The image."),
        "configs": attr.label_list(mandatory = True, allow_files = [".yaml", ".yml", ".json"], stage = "build", doc = "Documents of container-structure-test, schema 2.0.0."),
    } | TIME_ATTRIBUTES,
    test = True,
)
