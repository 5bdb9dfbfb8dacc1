"""Faults planted in a workspace that was built well: one clear error each, and nothing lost."""
