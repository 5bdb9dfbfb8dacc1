"""What builds did: each leaves a log in the cache folder, and tells what goes on to whoever asks."""
