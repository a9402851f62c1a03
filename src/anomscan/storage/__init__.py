"""Files written whole or not at all, locks, and places: a disk, S3, Azure."""
