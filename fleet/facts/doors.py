"""How one gets into a host now: a part of the single look."""

from collections.abc import Mapping

from msgspec import Struct

# sudo takes SSH_CONNECTION away, but a parent of the shell still has it.
LOOK = r"""
p=$$; while [ "${p:-1}" -gt 1 ]; do
  client=$(tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
  [ "$client" ] && echo "ssh=$client" && break
  p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null)
done
ss -Hltnp | awk '/"sshd"/ { sub(/.*:/, "", $4); print "sshd=" $4 }'
for t in tcp udp; do ss -Hlnp --$t | awk -v t=$t '
  $4 !~ /^(127\.|\[::1\])/ { sub(/.*:/, "", $4); split($6, u, "\""); print "open=" $4 "/" t, u[2] }'
done
command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active' && echo "wall=ufw"
systemctl is-active -q firewalld.service && echo "wall=firewalld"
"""


class Open(Struct, frozen=True):
    """A port that others may reach, "9100/tcp", and the program behind it (empty: not told)."""

    port: str
    program: str = ""


class Doors(Struct, frozen=True, kw_only=True):
    """`client` is the address that the look came from, empty where it did not come by SSH.

    `ssh` are the ports of sshd; `walls` other programs that keep a firewall ("ufw", "firewalld").
    """

    client: str = ""
    ssh: tuple[int, ...] = ()
    walls: tuple[str, ...] = ()
    open: tuple[Open, ...] = ()


def read(found: Mapping[str, list[str]]) -> Doors:
    """Make sense of the lines that `LOOK` printed, by their keys."""
    # "CLIENT ITS-PORT OUR-ADDRESS OUR-PORT": the port is sshd's, whatever stands between.
    client, _, _, port, *_ = [*found.get("ssh", [""])[0].split(" "), "", "", ""]
    ports = {int(one) for one in [port, *found.get("sshd", [])] if one.isdigit()}
    opens = (value.partition(" ") for value in found.get("open", []))
    return Doors(
        client=client,
        ssh=tuple(sorted(ports)),
        walls=tuple(found.get("wall", [])),
        open=tuple(dict.fromkeys(Open(port, program) for port, _, program in opens)),
    )
