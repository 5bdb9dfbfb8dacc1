"""`image_sbom`: the bill of materials of an image, as a file."""

load("//rules:providers.bzl", "ImageInfo")

_FORMATS = {"cyclonedx-json": "cdx.json", "spdx-json": "spdx.json"}

def sboms(ctx, closure, composed, blobs, checksums, config, descriptor):
    """Declares the documents about an image; each is made when somebody asks for it.

    Args:
        ctx: the image's.
        closure: its debs.
        composed: the outputs of the tool Compose.
        blobs: what holds the bytes that its recipes name.
        checksums: by names of inputs, the files with SHA-1s of what is of no deb.
        config: its config.
        descriptor: its descriptor.

    Returns:
        From the format to the File.
    """
    inputs = {name: file for name, file in composed.items() if name.startswith("recipe/")}
    inputs |= {"blob/%d" % at: blob for at, blob in enumerate({blob: True for blob in blobs})}
    inputs |= checksums | {"checksums/" + deb.name: deb.checksums for deb in closure.debs + closure.base}
    made = {}
    for format, extension in _FORMATS.items():
        made[format] = ctx.actions.declare_file("%s.%s" % (ctx.label.name, extension))
        ctx.actions.tool(
            mnemonic = "Sbom",
            inputs = inputs | {"config": config, "descriptor": descriptor},
            outputs = {"sbom": made[format]},
            parameters = {
                "name": ctx.label.canonical,
                "format": format,
                "archives": {deb.name: deb.sha256 for deb in closure.debs},
            },
            progress_message = "Writing the bill of materials of " + ctx.label.canonical,
        )
    return made

def _image_sbom(ctx):
    return [DefaultInfo(files = depset([ctx.attr.image[ImageInfo].sboms[ctx.attr.format]]))]

image_sbom = rule(
    implementation = _image_sbom,
    doc = "The bill of materials of an image: every file, its hashes, its package, and each package's licences; beside the image it is called `<image>.spdx.json` or `<image>.cdx.json`.",
    attrs = {
        "image": attr.label(mandatory = True, providers = [ImageInfo], doc = "The image: for one platform."),
        "format": attr.string(default = "spdx-json", values = list(_FORMATS), doc = "SPDX 2.3 or CycloneDX 1.6."),
    },
)
