"""The rules: pure decisions without process, thread, socket, file or clock."""
