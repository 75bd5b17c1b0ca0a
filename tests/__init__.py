"""Tests of Stoker: unit tests beside fakes, the sandbox fleet, and end-to-end tests on it."""
