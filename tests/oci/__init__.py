"""Tests of writing, reading and moving images."""
