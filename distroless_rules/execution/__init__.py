"""A ready action becomes a key, and then a result: from the cache, or from an executor."""
