"""Programs of eisenmp 1.0, and every name of it that they use."""
