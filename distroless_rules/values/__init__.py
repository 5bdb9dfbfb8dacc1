"""Frozen values that everything else speaks in; no input or output, standard library only."""
