"""Packages of Node: what a package-lock.json locks by integrity, as the files of a node_modules folder."""
