"""How fast eisenmp is: measured against its peers, side by side, in one run.

`python -m benchmarks` runs all and writes `benchmarks/results/`; `--quick` takes small sizes; names choose some.
"""
