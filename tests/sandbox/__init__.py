"""The sandbox: what gets in, what gets out, and what it costs to try."""
