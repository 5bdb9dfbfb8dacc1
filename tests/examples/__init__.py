"""Tests of the images of ``examples/``, made of real debs."""
