"""Worked cases as data, for tests on the pure rules and for tests on a real database."""
