"""Tests of an image as container-structure-test writes them: a document and an image in, what does not hold out."""
