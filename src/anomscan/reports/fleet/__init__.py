"""What the page of a fleet tells: its incidents with their states, its days, and in which order."""
