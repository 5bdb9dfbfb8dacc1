"""Tests of what files need of each other."""
