"""How fast eisenmp is: measured against its peers, side by side, in one run.

`python -m benchmarks` runs all and writes `benchmarks/results/`; names choose some; `--quick` takes small
sizes, to see that everything works.
"""
