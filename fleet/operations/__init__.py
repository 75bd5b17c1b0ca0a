"""What the deploy does to a host: each operation looks first, and says "no change" when it can.

State is compared, never `did_change`: a handler is lost when a run dies between the change and
the handler.
"""
