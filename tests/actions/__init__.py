"""Tests of distroless_rules.actions."""
