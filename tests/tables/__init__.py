"""Tests of tables that all processes map from one file."""
