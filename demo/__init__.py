"""``make demo``: real supermarket baskets through the whole system, and an audit at the end."""
