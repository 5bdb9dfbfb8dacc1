"""Tests of reading ELF files."""
