"""Mistakes in welfare benefit: prevention by the least intrusive means, and the bias audit.

`profile` asks whether a profile on permitted facts finds mistakes better than a random draw, and
proposes the least intrusive help; `audit` guards people against bias in selection and
investigation. `disclosure` keeps small numbers off the pages of both.
"""
