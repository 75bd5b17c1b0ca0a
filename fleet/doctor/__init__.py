"""`stoker doctor`: every host's own doctor, over SSH and all at once, and this machine's files."""
