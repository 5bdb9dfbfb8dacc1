"""What the built-in rules hand to each other; a rule of your own can give and take the same."""

CcInfo = provider(
    doc = "What a library of C or C++ gives to those who depend on it.",
    fields = {
        "headers": "A depset of Files.",
        "includes": "A depset of folders, as commands see them.",
        "defines": "A depset of macros.",
        "libraries": "A depset of archives, users before what they use.",
        "linkopts": "A depset of options of the linker.",
        "cxx": "Whether any of it is C++.",
        "debs": "A depset of DebInfos with headers and libraries that it is compiled and linked with.",
    },
)

CcToolchainInfo = provider(
    doc = "A C and C++ compiler.",
    fields = {
        "root": "The directory File that becomes `/`.",
        "built": "The BuildRootInfo of that root, for those who add debs to it.",
        "env": "Environment variables.",
        "cc": "The C compiler.",
        "cxx": "The C++ compiler.",
        "ar": "The archiver.",
        "copts": "Options of every compilation.",
        "linkopts": "Options of every link.",
        "c_debs": "DebInfos that programs in C need when they run.",
        "cxx_debs": "DebInfos that programs in C++ need when they run.",
    },
)

GoInfo = provider(
    doc = "Packages of a Go module.",
    fields = {"sources": "A depset of Files: sources, what they embed, go.mod, go.sum, vendored modules."},
)

GoToolchainInfo = provider(
    doc = "A Go compiler.",
    fields = {
        "root": "The directory File that becomes `/`.",
        "built": "The BuildRootInfo of that root, for those who add debs to it.",
        "env": "Environment variables.",
        "standard_library": "A directory File: the build cache with the standard library compiled for the platform.",
    },
)

JavaInfo = provider(
    doc = "What a library of Java gives to those who depend on it.",
    fields = {"jars": "A depset of jars, its own first."},
)

JavaToolchainInfo = provider(
    doc = "A Java compiler, and the Java that its programs run with.",
    fields = {
        "root": "The directory File that becomes `/`.",
        "env": "Environment variables.",
        "javacopts": "Options of every compilation.",
        "java": "The Java of the image.",
        "debs": "DebInfos that programs need when they run.",
    },
)

JsInfo = provider(
    doc = "What modules of Node give to those who depend on them.",
    fields = {
        "files": "A depset of Files: sources and data.",
        "trees": "A depset of directory Files, each a `node_modules`.",
    },
)

NodeToolchainInfo = provider(
    doc = "The Node of an image.",
    fields = {
        "debs": "DebInfos that programs need when they run.",
        "interpreter": "Its path.",
    },
)

PyInfo = provider(
    doc = "What modules of Python give to those who depend on them.",
    fields = {
        "files": "A depset of Files: sources and data.",
        "imports": "A depset of folders, below the workspace, from which modules are imported too.",
        "trees": "A depset of directory Files with installed wheels.",
    },
)

PyToolchainInfo = provider(
    doc = "A Python interpreter of the image.",
    fields = {
        "debs": "DebInfos that programs need when they run.",
        "interpreter": "The interpreter's path.",
        "version": "Its version: `3.13.5`.",
        "libc": "The version of the C library: `2.41`.",
    },
)

RuntimeInfo = provider(
    doc = "What a program needs when it runs; an image takes all of it, and nothing else of what made it.",
    fields = {
        "entries": "A depset as FilesInfo has it.",
        "debs": "DebInfos.",
        "entrypoint": "The program in the image, with its first arguments.",
        "env": "Environment variables.",
        "root": "A directory File that becomes `/` where the program is a tool or a test: all of this, laid out.",
    },
)

RustInfo = provider(
    doc = "A crate of Rust.",
    fields = {
        "label": "Its label's text.",
        "name": "The name by which others use it.",
        "library": "The compiled crate.",
        "libraries": "A depset of the crates that it uses, compiled.",
        "proc_macro": "Whether it holds procedural macros.",
    },
)

RustToolchainInfo = provider(
    doc = "A Rust compiler.",
    fields = {
        "root": "The directory File that becomes `/`.",
        "built": "The BuildRootInfo of that root, for those who add debs to it.",
        "env": "Environment variables.",
        "triple": "The platform as rustc names it.",
        "linker": "The linker in the root.",
        "sysroot": "A directory File with the platform's standard library in usr/; None where it is in the root.",
        "flags": "Options of every compilation.",
        "debs": "DebInfos that programs need when they run.",
    },
)

DebInfo = provider(
    doc = "A Debian package that the lock fixes.",
    fields = {
        "archive": "The archive's name in labels.",
        "name": "The binary package's name.",
        "version": "Its version.",
    },
)

BuildRootInfo = provider(
    doc = "The file system that commands of the build stage see.",
    fields = {
        "tree": "A directory File.",
        "env": "Environment variables of every command that runs in it.",
        "parts": "What it is made of, for those who add debs to it.",
    },
)

FilesInfo = provider(
    doc = "Files, folders and symbolic links with their places in an image.",
    fields = {
        "entries": "A depset of structs: path, kind (file, dir, symlink or tree), mode, owner, file, target, label.",
    },
)

UserInfo = provider(
    doc = "An account of an image.",
    fields = ["name", "uid", "gid", "home", "shell", "gecos", "groups", "label"],
)

GroupInfo = provider(
    doc = "A group of an image.",
    fields = ["name", "gid", "members", "label"],
)

OsReleaseInfo = provider(
    doc = "What an image's os-release says in place of what the distribution says.",
    fields = ["fields"],
)

CertificatesInfo = provider(
    doc = "Certificates that an image trusts besides those of ca-certificates.",
    fields = {"files": "PEM files."},
)

PolicyInfo = provider(
    doc = "What images are held to.",
    fields = {
        "waive": "From a check, or a check and a glob, to the reason for which it may be.",
        "levels": "From a check to what its findings count for.",
        "max_size": "What an image's files may have in all, as text; empty for any size.",
        "max_files": "How many files and links an image may have; 0 for any number.",
    },
)

ImageInfo = provider(
    doc = "An image.",
    fields = {
        "manifest": "Its manifest.",
        "config": "Its config.",
        "descriptor": "The descriptor by which an index names it.",
        "layers": "Its layers.",
        "report": "What is in it and why.",
        "platform": "What it is for.",
        "tree": "A directory File: its files, laid out where somebody needs them.",
        "findings": "What the checks of the policy find in it.",
        "sboms": "Its bills of materials: from the format, as `image_sbom` has it, to the File.",
    },
)
