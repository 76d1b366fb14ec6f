#!/usr/bin/env bash
# matplotlib draws dots of one size elsewhere than the same dots with a list of that size.
#
# Guess made beforehand: scatter(x, y, s=100) and scatter(x, y, s=[100, 100, 100]) give the same picture,
# the first sooner. Of three black dots at 50, 100.5 and 150.25 on an axis of one pixel a unit, the
# centre of what is drawn lies at these places both times.
#
# Seen with matplotlib 3.11.2 (Agg): with a list the centres are 50.0, 100.5 and 150.25; with one number
# they are 50.5, 101.5 and 150.5, up to a whole pixel off, because dots that are alike are stamped at
# whole pixels. One size that differs in the fourth decimal is enough for the exact places. So a map
# whose dots change from one size to several moves, and what is clicked on must be wider than a pixel.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv v
v/bin/pip install --quiet numpy==2.2.6 matplotlib==3.11.2
cat > try.py <<'PY'
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PLACES = [50.0, 100.5, 150.25]


def centres(size):
    figure = Figure(figsize=(2, 2), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, 200), ylim=(0, 200))
    axes.scatter(PLACES, PLACES, s=size, color="black", linewidth=0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    dark = 255.0 - np.asarray(canvas.buffer_rgba())[:, :, 0]
    found = []
    for place in PLACES:
        low = int(place) - 20
        columns = dark[180 - low - 20 : 200 - low, low : low + 40].sum(axis=0)
        found.append(round(float(columns @ (np.arange(40) + low + 0.5) / columns.sum()), 2))
    return found


print(centres(100), centres([100, 100, 100]), centres([100, 100, 100.0001]))
PY
seen=$(v/bin/python try.py)
echo "$seen"
test "$seen" = "[50.5, 101.5, 150.5] [50.0, 100.5, 150.25] [50.0, 100.5, 150.25]"
