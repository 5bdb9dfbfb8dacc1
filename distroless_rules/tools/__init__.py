"""Tool actions: one a file, each a pure function from declared inputs to declared outputs."""
