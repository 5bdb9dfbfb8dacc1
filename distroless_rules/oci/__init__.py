"""OCI images: layers, configs, manifests, layouts, archives, and running them."""
