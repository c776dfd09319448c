"""The conformance kit: a scripted day at the till, played against a server.

``kit`` holds what a rule is, ``till`` what a rule works with, ``rules`` the rules themselves; to
add one, write a function there.
"""
