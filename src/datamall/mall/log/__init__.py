"""The log of use: who used what, for which purpose, written down before it happens."""
