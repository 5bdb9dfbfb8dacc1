"""Tests of ``distroless_rules.explaining``."""
