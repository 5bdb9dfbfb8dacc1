"""The rules that need no load: filegroup, alias, config_setting, platform, toolchain and so on; and `native`."""

def _filegroup(ctx):
    return [DefaultInfo(files = depset(transitive = [dep[DefaultInfo].files for dep in ctx.attr.srcs]))]

filegroup = rule(
    implementation = _filegroup,
    doc = "A name for some files or targets.",
    attrs = {
        "srcs": attr.label_list(allow_files = True, doc = "What the name stands for."),
        "data": attr.label_list(allow_files = True, doc = "Not part of the files; there for whoever asks."),
    },
)

def _nothing(ctx):
    return []

alias = rule(
    implementation = _nothing,
    doc = "Another name for a target; every use of it is a use of that target.",
    attrs = {"actual": attr.label(mandatory = True, allow_files = True, doc = "The target meant.")},
)

config_setting = rule(
    implementation = _nothing,
    doc = "A condition for select(): true when everything it names is so.",
    attrs = {
        "platforms": attr.string_list(configurable = False, doc = "Platforms, one of which must be built for: `linux/arm64`."),
        "define": attr.string_dict(configurable = False, doc = "Values that `--define` must have given."),
        "define_values": attr.string_dict(configurable = False, doc = "The same as `define`, under Bazel's name."),
        "values": attr.string_dict(configurable = False, doc = "The same as `define`, under Bazel's name: `{\"define\": \"key=value\"}`."),
    },
)

platform = rule(
    implementation = _nothing,
    doc = "A name for a platform, for `--platform` and the conditions of select().",
    attrs = {
        "platform": attr.string(mandatory = True, configurable = False, doc = "`linux/amd64`, `linux/arm64`, ..."),
    },
)

package_group = rule(
    implementation = _nothing,
    doc = "Packages that a visibility can name together.",
    attrs = {
        "packages": attr.string_list(configurable = False, doc = "`//a/b` (one package), `//a/...` (it and all below), `-//a/c` (not this one), `public`, `private`."),
        "includes": attr.label_list(configurable = False, doc = "Other groups that belong to it."),
    },
)

toolchain_type = rule(
    implementation = _nothing,
    doc = "What rules ask for; a use of it is a use of the `toolchain` that is registered for it and fits the platform.",
)

toolchain = rule(
    implementation = _nothing,
    doc = "Something that stands for a `toolchain_type`, once `toolchains` in `[workspace]` of distroless.toml names it.",
    attrs = {
        "toolchain_type": attr.string(mandatory = True, configurable = False, doc = "The label of the type."),
        "toolchain": attr.string(mandatory = True, configurable = False, doc = "The label of what stands for it: a `cc_toolchain` for example."),
        "platforms": attr.string_list(configurable = False, doc = "What it makes programs for: `linux/arm64`; for anything when left out."),
        "exec_platforms": attr.string_list(configurable = False, doc = "The machines that it works on; on any when left out."),
    },
)

def _test_suite(ctx):
    return [
        DefaultInfo(files = depset(transitive = [test[DefaultInfo].files for test in ctx.attr.tests])),
        TestInfo(logs = depset(transitive = [test[TestInfo].logs for test in ctx.attr.tests])),
    ]

test_suite = rule(
    implementation = _test_suite,
    doc = "A name for some tests.",
    attrs = {"tests": attr.label_list(providers = [TestInfo], doc = "The tests.")},
)

native = struct(
    alias = alias,
    config_setting = config_setting,
    existing_rule = existing_rule,
    existing_rules = existing_rules,
    exports_files = exports_files,
    filegroup = filegroup,
    glob = glob,
    package_group = package_group,
    package_name = package_name,
    package_relative_label = package_relative_label,
    platform = platform,
    repo_name = repo_name,
    test_suite = test_suite,
    toolchain = toolchain,
    toolchain_type = toolchain_type,
)
