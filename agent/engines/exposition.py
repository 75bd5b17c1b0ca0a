"""Reading a few numbers out of a Prometheus exposition.

A scrape is large (TGI alone sends 1024 buckets for one histogram) and read every second, so the
lines that nobody wants are dropped before they are parsed.
"""

from prometheus_client.parser import text_string_to_metric_families


def total(metrics: str, sample: str) -> float | None:
    """Return the sum of all series of `sample`; None when the exposition has none."""
    wanted = "\n".join(
        line for line in metrics.splitlines() if line.startswith((f"{sample}{{", f"{sample} "))
    )
    if not wanted:
        return None
    families = text_string_to_metric_families(wanted + "\n")
    return sum(found.value for family in families for found in family.samples)


def speaks(metrics: str, prefix: str) -> bool:
    """Say whether any series of the exposition starts with `prefix`."""
    return any(line.startswith(prefix) for line in metrics.splitlines())
