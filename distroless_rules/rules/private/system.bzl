"""`os_release` and `ca_certificates`: what an image says it is, and whom it trusts."""

load("//rules:providers.bzl", "CertificatesInfo", "OsReleaseInfo")

def _os_release(ctx):
    return [OsReleaseInfo(fields = ctx.attr.fields)]

os_release = rule(
    implementation = _os_release,
    doc = "Fields of /etc/os-release in place of the distribution's; see os-release(5).",
    attrs = {"fields": attr.string_dict(mandatory = True, doc = "From the field's name to its value.")},
    provides = [OsReleaseInfo],
)

def _ca_certificates(ctx):
    return [
        DefaultInfo(files = depset(ctx.files.srcs)),
        CertificatesInfo(files = ctx.files.srcs),
    ]

ca_certificates = rule(
    implementation = _ca_certificates,
    doc = "Certificates that the image trusts, besides those of the deb ca-certificates.",
    attrs = {"srcs": attr.label_list(mandatory = True, allow_files = [".crt", ".pem"], doc = "PEM files.")},
    provides = [CertificatesInfo],
)
