"""Why a target's digest is not that of the build before: two builds in, the first things that differ out."""
