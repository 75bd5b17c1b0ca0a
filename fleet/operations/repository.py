"""An apt repository: its key, known by fingerprint, and its source, which trusts that key alone."""

import shlex
from collections.abc import Generator
from hashlib import sha256

import msgspec
from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import File
from fleet import manifest
from fleet.facts.paths import PathStates, Text

_MODE = {"mode": "644", "user": "root", "group": "root"}

# Every primary key in the file must be one of the known: a file with one more is refused.
_FETCH = r"""
set -e; new="$keyring.stoker-new"; trap 'rm -f "$new"' EXIT
curl -fsSL --max-time 60 -o "$new" "$url" || { echo "cannot fetch the key $url" >&2; exit 1; }
found=$(gpg --batch --show-keys --with-colons "$new" 2>/dev/null |
  awk -F: '$1 == "pub" { primary = 1 } $1 == "fpr" && primary { print $10; primary = 0 }')
[ -n "$found" ] || { echo "$url is no OpenPGP key" >&2; exit 1; }
for f in $found; do case " $known " in *" $f "*) ;; *)
  echo "the key $url has the fingerprint $f, expected $known; it is not trusted" >&2; exit 1;;
esac; done
chmod 644 "$new"
echo "$(sha256sum <"$new" | cut -c1-64) $known" >"$keyring.checked"; mv -f "$new" "$keyring"
"""

# Any: by itself apt only warns when it cannot read or trust a source, and goes on with old lists.
_UPDATE = (
    'apt-get -q update -o Dir::Etc::sourcelist="$source" -o Dir::Etc::sourceparts=/dev/null '
    "-o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any"
)


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """`name` becomes a file name; `components` is empty for a flat repository."""

    name: str
    uri: str
    suite: str
    components: str = ""
    key: str
    fingerprints: tuple[str, ...]

    @property
    def keyring(self) -> str:
        """Where the key lies on the node."""
        return f"/etc/apt/keyrings/stoker-{self.name}.asc"

    @property
    def source(self) -> str:
        """Where the deb822 source lies on the node."""
        return f"/etc/apt/sources.list.d/stoker-{self.name}.sources"

    def deb822(self) -> str:
        """Render the source."""
        components = f"Components: {self.components}\n" if self.components else ""
        return (
            f"# Written by Stoker.\nTypes: deb\nURIs: {self.uri}\nSuites: {self.suite}\n"
            f"{components}Signed-By: {self.keyring}\n"
        )


@operation()
def repository(wanted: Repository) -> Generator[StringCommand]:
    """Make the repository usable: fetch and check its key, write its source, read its lists."""
    text = wanted.deb822()
    source = File(sha256=sha256(text.encode()).hexdigest(), **_MODE)
    manifest.of(host).files[wanted.source] = source
    manifest.of(host).measured.add(wanted.keyring)
    found = host.get_fact(PathStates, paths=[wanted.keyring, wanted.source])
    keyring = found.get(wanted.keyring)
    # The key was checked against fingerprints that may be others by now.
    checked, _, known = host.get_fact(Text, path=f"{wanted.keyring}.checked").strip().partition(" ")
    key_good = keyring == File(sha256=checked, **_MODE) and known == _known(wanted)
    if key_good and found.get(wanted.source) == source:
        host.noop(f"{wanted.name} is as wanted")
        return
    if not key_good:
        yield StringCommand(*_fetch(wanted), _separator="")
    # Without its lists a source is worth nothing, so it stays only if they could be read.
    yield StringCommand(
        "source=", QuoteString(wanted.source), '; cat >"$source" && chmod 644 "$source" && ',
        _UPDATE, ' || { rm -f "$source"; exit 1; }', _separator="", _stdin=text,
    )  # fmt: skip


def refresh(wanted: Repository) -> StringCommand:
    """Return the command that reads its lists anew; fetches the key again if that fails.

    A key that its owner has changed is taken if its fingerprint is among the known ones.
    """
    read = f"source={shlex.quote(wanted.source)}; {_UPDATE}"
    return StringCommand(
        f"{{ {read}; }} || {{ (", *_fetch(wanted), f") && {read}; }}", _separator=""
    )


def _fetch(wanted: Repository) -> tuple[str | QuoteString, ...]:
    return (
        "keyring=", QuoteString(wanted.keyring), "; url=", QuoteString(wanted.key),
        "; known=", QuoteString(_known(wanted)), ";", _FETCH,
    )  # fmt: skip


def _known(wanted: Repository) -> str:
    return " ".join(wanted.fingerprints)
