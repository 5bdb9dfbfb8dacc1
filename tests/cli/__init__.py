"""Tests of distroless_rules.cli."""
