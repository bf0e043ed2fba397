"""The simulation: every schedule from a seed, and managers with a defect that it has to find."""
