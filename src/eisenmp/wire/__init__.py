"""What both ends of a connection need: frames, shared regions, platform differences."""
