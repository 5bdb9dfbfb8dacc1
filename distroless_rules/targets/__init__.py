"""Declared targets become a graph of configured targets."""
