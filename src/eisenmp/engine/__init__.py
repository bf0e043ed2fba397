"""Placement, transport and process life; no policy."""
