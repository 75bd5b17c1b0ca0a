"""Tests of the planner: public model configs in `models/`, start-ups of real engines in `logs/`."""
