"""Tests of what maintainer scripts do."""
