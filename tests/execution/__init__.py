"""Tests of distroless_rules.execution."""
