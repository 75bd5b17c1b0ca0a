"""A deploy of firewall rules that lock SSH out, by the very operation that a good deploy uses.

LOCKOUT=hard also ends the connections that are open, which leaves only the node to help itself.
"""

import os

from pyinfra import host

from fleet import firewall, specs
from fleet.operations.firewall import firewall_rules

OPEN = "\t\tct state established,related accept\n"
rules = firewall.rules(specs.of(host), ssh_ports=[2])
assert "dport { 22 }" not in rules
if os.environ.get("LOCKOUT") == "hard":
    rules = rules.replace(OPEN, "")
firewall_rules(
    name="lock everybody out",
    path=firewall.PATH,
    rules=rules,
    seconds=int(os.environ["LOCKOUT_SECONDS"]),
)
