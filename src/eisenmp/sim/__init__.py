"""Deterministic simulation: the real manager on a wire, a clock, processes and faults drawn from a seed."""
