"""Tests of tar archives and their compression."""
