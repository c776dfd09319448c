"""The rules of messages: who may be told what, and how it reads. Pure."""
