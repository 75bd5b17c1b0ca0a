"""What the deploy asks a host: each fact is one command, and cannot fail on a bare host."""
