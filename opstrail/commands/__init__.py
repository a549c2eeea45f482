"""One file a command; each has `command`."""
