"""One suite of behaviours that every engine passes."""
