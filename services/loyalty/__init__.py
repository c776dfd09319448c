"""Loyalty: members, and a ledger in which every point is explained."""
