"""The manager: feeds, dispatcher, events."""
