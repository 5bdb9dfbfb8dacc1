"""What two images differ in: two images in, debs, files, settings and layers that differ out."""
