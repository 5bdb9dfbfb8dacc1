"""ELF files: bytes in, what the dynamic loader and a hardening policy ask of them out."""
