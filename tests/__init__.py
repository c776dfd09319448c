"""Proof: what the tree promises, as claims that can fail."""
