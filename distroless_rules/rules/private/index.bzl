"""`distroless_index`: one name for the images of several platforms."""

load("//rules:providers.bzl", "ImageInfo")

def _two_digits(number):
    return ("0" if number < 10 else "") + str(number)

def _distroless_index(ctx):
    if not ctx.attr.image and not ctx.attr.images:
        fail("an index needs an image, or images")
    if ctx.attr.platforms and not ctx.attr.image:
        fail("platforms says what image is built for, and there is no image")
    images = [target[ImageInfo] for target in ctx.attr.image + ctx.attr.images]
    index = ctx.actions.declare_file(ctx.label.name + ".index")
    descriptor = ctx.actions.declare_file(ctx.label.name + ".descriptor")
    ctx.actions.tool(
        mnemonic = "ImageIndex",
        inputs = {"image/" + _two_digits(at): image.descriptor for at, image in enumerate(images)},
        outputs = {"index": index, "descriptor": descriptor},
        parameters = {"annotations": ctx.attr.annotations},
        progress_message = "Writing the index of " + ctx.label.canonical,
    )
    blobs = []
    for image in images:
        blobs.extend([image.manifest, image.config] + image.layers)
    return [
        DefaultInfo(files = depset([index])),
        OciLayoutInfo(descriptor = descriptor, blobs = [index] + blobs),
    ]

distroless_index = rule(
    implementation = _distroless_index,
    doc = "An OCI image index: a name under which every platform finds its own image.",
    attrs = {
        "image": attr.label(providers = [ImageInfo], platforms = "platforms", doc = "The image; it is built for each of `platforms`."),
        "platforms": attr.string_list(doc = "What to build `image` for: `linux/amd64`, `linux/arm64`. Left out: what the command asks for."),
        "images": attr.label_list(providers = [ImageInfo], doc = "Images that are there as they are, each for a platform of its own."),
        "annotations": attr.string_dict(doc = "Annotations of the index."),
    },
)
