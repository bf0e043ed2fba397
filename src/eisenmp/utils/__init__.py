"""Import paths of eisenmp 1.0; re-exports only."""
