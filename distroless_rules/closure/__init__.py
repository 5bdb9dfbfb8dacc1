"""What the files of an image need of each other: their bytes in, what is reached and what is missing out."""
