"""Waste beside containers: from inspections to tomorrow's plan.

`information` counts, `knowledge` weighs what was counted against how often somebody looked,
`wisdom` proposes what to do tomorrow. `pooling` and `spatial` hold the statistics.
"""
