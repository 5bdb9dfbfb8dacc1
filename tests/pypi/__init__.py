"""Tests of wheels and requirements files."""
