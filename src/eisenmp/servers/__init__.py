"""Port groups in action: listening sockets, steering in the kernel, and servers that run on the sockets."""
