"""BUILD and ``.bzl`` text becomes declared targets."""
