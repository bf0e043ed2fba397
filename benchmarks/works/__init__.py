"""What the workers do, on every side the same."""
