"""Tests of distroless_rules.values."""
