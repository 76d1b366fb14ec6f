"""Traffic at junctions: from counts to policy.

`cube` holds the counts as arrays, `information` says what was counted, `health` which counts are
those of a faulty detector, `censoring` where counts stop at capacity, `forecast` what next week
will bring. `peaks` and `capacity` set volumes against what signals can serve, `plans` proposes
others within what `safety` and `conflicts` allow, `knowledge` says what is lost and avoidable,
`wisdom` what to decide. `measures` and `scenarios` reckon what a council can choose, `corridors`
what comes to the neighbours. `congestion` and `trucks` answer which container stops lie in
congested hours. `docs/traffic-method.md` says why.
"""
