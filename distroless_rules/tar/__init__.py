"""Tar archives and their compression, read from debs and layers, and written for layers."""
