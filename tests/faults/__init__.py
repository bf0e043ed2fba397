"""What goes wrong around a manager: workers, signals, the manager itself, those whom workers start."""
