"""Event contracts: the only thing services know of one another."""
