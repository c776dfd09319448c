"""Personal offers: what a member usually buys, discounts for it, quotes and redemption."""
