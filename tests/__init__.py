"""The tests of eisenmp."""
