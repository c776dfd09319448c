"""Use cases of notify: learn, ask for messages, decide, send, choose."""
