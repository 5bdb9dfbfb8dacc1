"""Bytes by digest and the results of actions by key."""
