"""Unit tests of the deploy. What needs a host is tested end to end."""
