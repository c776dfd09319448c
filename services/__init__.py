"""The services of Perennial; they never import one another."""
