"""Studies of the methods on worlds whose truth is known: a second, slower pipeline (make proofs).

No analysis imports this; it imports no analysis but `datamall.fairness`, which it judges.
"""
