"""Pages of the catalogue: each reads with a selector or calls one service."""
