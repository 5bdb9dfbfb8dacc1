"""Rule implementations, written in Starlark, become a graph of actions."""
