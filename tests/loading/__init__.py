"""Tests of distroless_rules.loading."""
