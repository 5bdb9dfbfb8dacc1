"""Tests of the built-in rules: the text of a BUILD file in; config, tree or error out."""
