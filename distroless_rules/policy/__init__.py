"""The hardening policy: an image's files and config in, what of them a hardened image would not have out."""
