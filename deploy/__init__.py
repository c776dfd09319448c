"""Ways to run Perennial; ``deploy.local`` is the one without Docker."""
