"""The rules: load them from here."""

load("//rules:providers.bzl", _BuildRootInfo = "BuildRootInfo", _CcInfo = "CcInfo", _CcToolchainInfo = "CcToolchainInfo", _CertificatesInfo = "CertificatesInfo", _DebInfo = "DebInfo", _FilesInfo = "FilesInfo", _GoInfo = "GoInfo", _GoToolchainInfo = "GoToolchainInfo", _GroupInfo = "GroupInfo", _ImageInfo = "ImageInfo", _JavaInfo = "JavaInfo", _JavaToolchainInfo = "JavaToolchainInfo", _JsInfo = "JsInfo", _NodeToolchainInfo = "NodeToolchainInfo", _OsReleaseInfo = "OsReleaseInfo", _PolicyInfo = "PolicyInfo", _PyInfo = "PyInfo", _PyToolchainInfo = "PyToolchainInfo", _RuntimeInfo = "RuntimeInfo", _RustInfo = "RustInfo", _RustToolchainInfo = "RustToolchainInfo", _UserInfo = "UserInfo")
load("//rules/private:accounts.bzl", _group = "group", _user = "user")
load("//rules/private:build_root.bzl", _build_root = "build_root")
load("//rules/private:cc.bzl", _cc_binary = "cc_binary", _cc_library = "cc_library", _cc_test = "cc_test")
load("//rules/private:expand_template.bzl", _expand_template = "expand_template")
load("//rules/private:files.bzl", _files = "files")
load("//rules/private:genrule.bzl", _genrule = "genrule")
load("//rules/private:go.bzl", _go_binary = "go_binary", _go_library = "go_library", _go_test = "go_test")
load("//rules/private:image.bzl", _distroless_image = "distroless_image")
load("//rules/private:image_test.bzl", _image_test = "image_test")
load("//rules/private:index.bzl", _distroless_index = "distroless_index")
load("//rules/private:java.bzl", _java_binary = "java_binary", _java_import = "java_import", _java_library = "java_library", _java_test = "java_test")
load("//rules/private:javascript.bzl", _js_binary = "js_binary", _js_library = "js_library", _js_test = "js_test", _npm_packages = "npm_packages")
load("//rules/private:policy.bzl", _image_policy = "image_policy")
load("//rules/private:python.bzl", _py_binary = "py_binary", _py_library = "py_library", _py_requirements = "py_requirements", _py_test = "py_test")
load("//rules/private:run_binary.bzl", _run_binary = "run_binary")
load("//rules/private:rust.bzl", _rust_binary = "rust_binary", _rust_library = "rust_library", _rust_proc_macro = "rust_proc_macro", _rust_test = "rust_test")
load("//rules/private:sbom.bzl", _image_sbom = "image_sbom")
load("//rules/private:system.bzl", _ca_certificates = "ca_certificates", _os_release = "os_release")
load("//rules/private:tests.bzl", _sh_test = "sh_test")
load("//rules/private:write_file.bzl", _write_file = "write_file")

build_root = _build_root
ca_certificates = _ca_certificates
cc_binary = _cc_binary
cc_library = _cc_library
cc_test = _cc_test
distroless_image = _distroless_image
distroless_index = _distroless_index
expand_template = _expand_template
files = _files
genrule = _genrule
go_binary = _go_binary
go_library = _go_library
go_test = _go_test
group = _group
image_policy = _image_policy
image_sbom = _image_sbom
image_test = _image_test
java_binary = _java_binary
java_import = _java_import
java_library = _java_library
java_test = _java_test
js_binary = _js_binary
js_library = _js_library
js_test = _js_test
npm_packages = _npm_packages
os_release = _os_release
py_binary = _py_binary
py_library = _py_library
py_test = _py_test
py_requirements = _py_requirements
run_binary = _run_binary
rust_binary = _rust_binary
rust_library = _rust_library
rust_test = _rust_test
rust_proc_macro = _rust_proc_macro
sh_test = _sh_test
user = _user
write_file = _write_file

BuildRootInfo = _BuildRootInfo
CcInfo = _CcInfo
CcToolchainInfo = _CcToolchainInfo
CertificatesInfo = _CertificatesInfo
DebInfo = _DebInfo
FilesInfo = _FilesInfo
GoInfo = _GoInfo
GoToolchainInfo = _GoToolchainInfo
GroupInfo = _GroupInfo
ImageInfo = _ImageInfo
JavaInfo = _JavaInfo
JavaToolchainInfo = _JavaToolchainInfo
JsInfo = _JsInfo
NodeToolchainInfo = _NodeToolchainInfo
OsReleaseInfo = _OsReleaseInfo
PolicyInfo = _PolicyInfo
PyInfo = _PyInfo
PyToolchainInfo = _PyToolchainInfo
RuntimeInfo = _RuntimeInfo
RustInfo = _RustInfo
RustToolchainInfo = _RustToolchainInfo
UserInfo = _UserInfo
