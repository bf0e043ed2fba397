"""Found by every interpreter that has this folder on PYTHONPATH, before it does anything else."""

from tests.faults.striker import strike

strike("start")
