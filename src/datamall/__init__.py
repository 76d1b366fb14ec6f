"""Datamall: a data shopping mall for a municipality.

Three wings that do not know each other: `mall` (data in), the analyses (`enforcement`, …) and
`reporting` (pages out). Notebooks and `cli` tie them together.
"""
