"""Tests of reading archives and debs."""
