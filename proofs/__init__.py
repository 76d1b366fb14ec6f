"""Studies of the methods on worlds whose truth is known: a second, slower pipeline (make proofs).

No analysis imports this. It imports what it judges: `datamall.fairness`, how the department counts
and what it prints of that (`datamall.fraud.disclosure`, `datamall.fraud.audit.sources`), and what
`datamall.enforcement` says of actions and of hot spots.
"""
