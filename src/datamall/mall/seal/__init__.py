"""The seal: what is relied on, signed by a role, so that a changed byte is noticed and named."""
