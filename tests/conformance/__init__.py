"""One suite for everything that keeps a protocol."""
