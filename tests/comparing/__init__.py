"""Tests of ``distroless_rules.comparing``."""
