"""What tests share; see each module."""
