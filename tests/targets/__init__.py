"""Tests of distroless_rules.targets."""
