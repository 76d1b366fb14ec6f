"""Traffic at junctions: from counts to policy.

`cube` holds the counts as arrays, `information` says what was counted, `health` which counts are
those of a faulty detector, `censoring` where counts stop at capacity, `forecast` what next week
will bring and how far that can be trusted.
"""
