"""Tables that all processes of a machine map from one file."""
