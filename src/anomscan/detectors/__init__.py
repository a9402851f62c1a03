"""What scores a series."""
