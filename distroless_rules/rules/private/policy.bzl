"""`image_policy`: what an image must not have, and what it may have all the same, each with a reason."""

load("//rules:providers.bzl", "PolicyInfo")

def find(ctx, closure, offered, composed, inputs, found, config, gate):
    """Looks for what a hardened image would not have.

    Args:
        ctx: an image's.
        closure: its debs.
        offered: debs of the build stage that libraries may have been taken from.
        composed: the outputs of the tool Compose.
        inputs: the inputs of Compose, facts among them, and screens.
        found: what it is made of.
        config: what its config says.
        gate: the parameter `gate` of Compose.

    Returns:
        The File with the findings.
    """
    findings = ctx.actions.declare_file(ctx.label.name + ".findings")
    taken = dict(composed)
    for name, file in inputs.items():
        if name.startswith("facts/") or name.startswith("screen/") or (name.startswith(("deb/", "offer/")) and name.endswith(("/index", "/facts"))):
            taken[name] = file
    ctx.actions.tool(
        mnemonic = "Findings",
        inputs = taken | {"deb/%s/screen" % deb.name: deb.screen for deb in closure.debs + offered},
        outputs = {"findings": findings},
        parameters = config | {
            "platform": ctx.platform.name,
            "allow_missing": gate["allow_missing"],
            "asked": sorted([deb.name for deb in found.debs] + [deb.name for deb in closure.debs if not deb.archive]),
            "files": [[each.path, each.kind, each.label] for each in found.entries],
        },
        progress_message = "Examining " + ctx.label.canonical,
    )
    return findings

def _stated(name, policy, waive):
    """A policy as the tool Policy takes it, with further waivers."""
    return {
        "name": name,
        "waive": policy.waive | waive,
        "levels": policy.levels,
        "max_size": policy.max_size,
        "max_files": policy.max_files,
    }

def hold(ctx, findings):
    """Holds an image to its policy: a struct with the Files of the verdict and of the SARIF log."""
    verdict = ctx.actions.declare_file(ctx.label.name + ".policy.json")
    sarif = ctx.actions.declare_file(ctx.label.name + ".policy.sarif")
    ctx.actions.tool(
        mnemonic = "Policy",
        inputs = {"findings": findings},
        outputs = {"verdict": verdict, "sarif": sarif},
        parameters = {
            "image": ctx.label.canonical,
            "policy": _stated(ctx.attr.policy[DefaultInfo].label.canonical, ctx.attr.policy[PolicyInfo], ctx.attr.waive),
        },
        progress_message = "Holding %s to its policy" % ctx.label.canonical,
    )
    return struct(verdict = verdict, sarif = sarif)

def _image_policy(ctx):
    policy = PolicyInfo(
        waive = ctx.attr.waive,
        levels = ctx.attr.levels,
        max_size = ctx.attr.max_size,
        max_files = ctx.attr.max_files,
    )
    stated = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(stated, json.encode(_stated(ctx.label.canonical, policy, {})))
    return [DefaultInfo(files = depset([stated])), policy]

image_policy = rule(
    implementation = _image_policy,
    doc = "What images are held to: every check of docs/policy.md, but for what is waived with a reason, and budgets.",
    attrs = {
        "waive": attr.string_dict(doc = "What may be all the same, and why: from a check, or `check:/path/*` for some paths only, to the reason."),
        "levels": attr.string_dict(doc = "What findings of a check count for, where that is to be more than its own level: `note`, `warning`, `error`."),
        "max_size": attr.string(doc = "What an image's files may have in all, unpacked: `200 MB`, `64 MiB`; left out: any size."),
        "max_files": attr.int(doc = "How many files and links an image may have; 0: any number."),
    },
    provides = [PolicyInfo],
)
