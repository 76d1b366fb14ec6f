"""A profile on permitted facts: what it would learn, and whether it beats a random draw.

`information` counts what was recorded and who was looked at, `knowledge` asks whether a `model` on
permitted `facts` finds mistakes, `effectiveness` and `lift` by how much better than a random draw,
`wisdom` proposes the least intrusive help for each reason.
"""
