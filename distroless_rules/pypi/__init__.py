"""Wheels: what a requirements file locks by hash, as files for an image."""
