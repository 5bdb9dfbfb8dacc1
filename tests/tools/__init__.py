"""Tests of tool actions, each on a workbench of its own."""
