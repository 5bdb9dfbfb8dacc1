"""What rules of your own can make use of as ours do: programs for images, tests.

    load("@distroless_rules//rules:authoring.bzl", "entry", "runtime", "test_info", "TEST_ATTRIBUTES")
"""

load("//rules/private:files.bzl", _entry = "entry")
load("//rules/private:roots.bzl", _runtime = "runtime")
load("//rules/private:tests.bzl", _TEST_ATTRIBUTES = "TEST_ATTRIBUTES", _test_info = "test_info")

TEST_ATTRIBUTES = _TEST_ATTRIBUTES
entry = _entry
runtime = _runtime
test_info = _test_info
