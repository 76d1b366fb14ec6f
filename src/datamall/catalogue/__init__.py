"""The catalogue: what the mall holds, how good it is, and who may use it for what.

Its data are the mall's own registers, checked out by the purpose ``mall``; no person is in them.
"""
