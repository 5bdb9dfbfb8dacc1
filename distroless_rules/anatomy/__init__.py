"""What an image that others made consists of, and the declaration that builds its distroless equivalent."""
