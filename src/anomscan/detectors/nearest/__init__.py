"""Nearest past: how far the last rows of a series lie from the most similar stretch ever seen before them."""
