"""Declarative, reproducible distroless container images from Starlark BUILD files."""

__version__ = "0.1.0"
__all__ = ["__version__"]
