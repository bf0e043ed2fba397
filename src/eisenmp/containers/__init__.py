"""Containers in the slots of port groups: made, watched, fed from the sockets of the slot, and removed."""
