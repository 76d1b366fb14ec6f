"""Traffic at junctions: from counts to policy.

`cube` holds the counts as arrays, `information` says what was counted, `health` which counts are
those of a faulty detector, `events` which hours stand out, `changes` since when the road is what it
is, `censoring` where counts stop at capacity, `forecast` (with `forecast_models` and
`forecast_judging`) what next week will bring. `peaks` and `capacity` set volumes against what
signals can serve, `queues` and `queue_lengths` say who waits over, `plans` and `timing` propose
others within what `safety` and `conflicts` allow, `simulated` (with `search` and `simulate`) holds
them against queues of counted days, `knowledge` says what is lost and avoidable, `wisdom` what to
decide. `measures` and `scenarios` reckon what a council can choose, `corridors` what comes to the
neighbours; `effect` and `serial` say whether what was done has helped. `sites` and `junction` are
of the page of each junction. `congestion` and `trucks` answer which container stops lie in
congested hours. `docs/traffic-method.md` says why.
"""
