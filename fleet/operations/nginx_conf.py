"""nginx's configuration, for the nginx that is installed, tested before it is put in place."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from agent.spec import HostSpec
from fleet import gateway
from fleet.facts.nginx import InstalledNginx
from fleet.operations.file import place


@operation()
def nginx_conf(spec: HostSpec) -> Generator[StringCommand]:
    """Place the configuration; one that nginx refuses never replaces one that works."""
    content = gateway.nginx_conf(spec, host.get_fact(InstalledNginx))
    yield from place(gateway.CONF, content, "644", "root:root", "/usr/sbin/nginx -t -q -c")
