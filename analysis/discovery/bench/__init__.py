"""How well and how fast the search works, measured on made-up catalogues of any size."""
