"""What maintainer scripts would have done to an image, modelled: one effect a file."""
