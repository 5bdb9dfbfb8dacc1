"""Tests of distroless_rules.storage."""
