"""How many engines a model wants, and who is told.

    replicas ──▶ hpa (one number, now) ──▶ course (over time, within limits) ──▶ telling ──▶ edges

All but the edges (`run_command`, `post`, `notebook`, `command`) is pure. Why it is computed on the
control machine: docs/adr/0015.
"""
