"""`user` and `group`: accounts of an image."""

load("//rules:providers.bzl", "GroupInfo", "UserInfo")

def _user(ctx):
    name = ctx.attr.username or ctx.label.name
    return [UserInfo(
        name = name,
        uid = ctx.attr.uid,
        gid = ctx.attr.gid if ctx.attr.gid >= 0 else ctx.attr.uid,
        home = ctx.attr.home or "/home/" + name,
        shell = ctx.attr.shell,
        gecos = ctx.attr.gecos,
        groups = ctx.attr.groups,
        label = ctx.label.canonical,
    )]

user = rule(
    implementation = _user,
    doc = "An account: a line of /etc/passwd, a group of its own, and its home folder.",
    attrs = {
        "username": attr.string(doc = "Its name; the target's name when left out."),
        "uid": attr.int(mandatory = True, doc = "Its number."),
        "gid": attr.int(default = -1, doc = "Its group's number; the same as `uid` when left out. A group of its name is made if none has the number."),
        "home": attr.string(doc = "Its home folder, mode 0700; `/home/<name>` when left out."),
        "shell": attr.string(default = "/usr/sbin/nologin", doc = "Its shell; `/usr/sbin/nologin`, which need not be there, if the image lacks it."),
        "gecos": attr.string(doc = "Its full name."),
        "groups": attr.string_list(doc = "Further groups that it belongs to."),
    },
    provides = [UserInfo],
)

def _group(ctx):
    return [GroupInfo(
        name = ctx.attr.groupname or ctx.label.name,
        gid = ctx.attr.gid,
        members = ctx.attr.members,
        label = ctx.label.canonical,
    )]

group = rule(
    implementation = _group,
    doc = "A group: a line of /etc/group.",
    attrs = {
        "groupname": attr.string(doc = "Its name; the target's name when left out."),
        "gid": attr.int(mandatory = True, doc = "Its number."),
        "members": attr.string_list(doc = "The accounts in it."),
    },
    provides = [GroupInfo],
)
