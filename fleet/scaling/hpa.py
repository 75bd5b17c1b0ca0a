"""How many replicas the queues ask for now, by the arithmetic of a Kubernetes HPA. Pure.

A metric of pods with a target of type AverageValue, as "Algorithm details" has it at
https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ and as
`pkg/controller/podautoscaler/replica_calculator.go` of Kubernetes 1.33 does it:

- the ratio is the average of the replicas that are ready and measured, divided by the target;
  within the tolerance around 1 nothing changes, else it is ceil(sum / target);
- who is ready and not measured counts as exactly at the target where the rest asks for fewer, and
  as 0 where the rest asks for more; who is not ready counts as 0 where the rest asks for more, and
  is set aside else; then the ratio is taken again, and no such guess may turn the direction round.

Fractions instead of floats: at an exact border the controller may be one replica off.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec


class Standing(StrEnum):
    """What one replica is to the arithmetic."""

    READY = "ready"
    UNREADY = "unready"  # starting, draining, drained: it was or will be of use
    MISSING = "missing"  # nobody knows: the node cannot be asked, or its engine does not tell
    GONE = "gone"  # quarantined: of no use until a person comes, like a failed pod


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One engine of one host that serves the model; `waiting` requests, if it is READY."""

    host: str
    engine: str
    standing: Standing
    waiting: int = 0
    running: int = 0
    why: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the queues ask for: `replicas`, or None when no ready replica could be measured.

    `total` requests wait in `measured` replicas; `within`: nothing is asked, as the average is
    near the target, or as guesses about the others would turn the direction round.
    """

    replicas: int | None
    total: int = 0
    measured: int = 0
    within: bool = False


def current(replicas: Sequence[Replica]) -> int:
    """Return how many there are; one that is GONE does not count."""
    return sum(one.standing is not Standing.GONE for one in replicas)


def asked(replicas: Sequence[Replica], target: float, tolerance: float) -> Asked:
    """Return what the queues ask for; `target` waiting requests for each replica."""
    aim, slack, now = Fraction(target), Fraction(str(tolerance)), current(replicas)
    waiting = [one.waiting for one in replicas if one.standing is Standing.READY]
    unready = sum(one.standing is Standing.UNREADY for one in replicas)
    missing = sum(one.standing is Standing.MISSING for one in replicas)
    if not waiting:
        return Asked(replicas=None)
    total, measured = sum(waiting), len(waiting)
    first = total / (measured * aim)
    guessed, counted = Fraction(total), measured
    if first > 1:
        counted += missing + unready
    elif first < 1:
        guessed, counted = guessed + missing * aim, counted + missing
    again = guessed / (counted * aim)
    turned = (first < 1 < again) or (again < 1 < first)
    wanted = math.ceil(guessed / aim)
    if abs(again - 1) <= slack or turned:
        return Asked(replicas=now, total=total, measured=measured, within=True)
    return Asked(replicas=wanted, total=total, measured=measured)
