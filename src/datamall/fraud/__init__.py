"""Mistakes in welfare benefit: prevention by the least intrusive means, and the bias audit.

`information` counts what was recorded and who was looked at, `knowledge` asks whether a `profile`
on permitted facts finds mistakes better than a random draw (`lift`), `wisdom` proposes the least
intrusive help for each reason. `protect` keeps small numbers off the page. The modules `audit…`
guard people against bias in selection and investigation.
"""
