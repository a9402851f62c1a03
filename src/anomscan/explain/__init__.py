"""What was expected, since when it was otherwise, and what kind of thing it is; it changes no verdict."""
