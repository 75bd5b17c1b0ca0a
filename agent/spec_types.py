"""What the fields of the spec are made of."""

from typing import Annotated

import msgspec
from msgspec import Meta

# A description says what would be right; it ends up in the error that a wrong value gets.
# Patterns end with \Z: $ would let a last newline pass.
Port = Annotated[int, Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Count = Annotated[int, Meta(ge=1, description="a whole number, 1 or more")]
Seconds = Annotated[float, Meta(gt=0, description="seconds, more than 0")]
AbsolutePath = Annotated[
    str, Meta(pattern=r"^/[^\s]*\Z", description="an absolute path without spaces")
]
ModelId = Annotated[
    str, Meta(pattern=r"^[\w.-]+/[\w.-]+\Z", description="a model id, ORGANISATION/NAME")
]
Commit = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{40}\Z",
        description="a commit of 40 hex digits (a branch moves, so none is accepted)",
    ),
]
Fingerprint = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-F]{40}\Z",
        description="an OpenPGP fingerprint, 40 upper-case hex digits",
    ),
]
PinnedImage = Annotated[
    str,
    Meta(
        pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}\Z",
        description="an image pinned by digest, NAME@sha256:<64 hex digits>",
    ),
]
DriverVersion = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{3}\.[0-9]{1,3}(\.[0-9]{1,3})?\Z",
        description="a driver version such as '595.91.07'",
    ),
]
# `rules` looks at them closer: a pattern cannot tell 10.0.0.0/33.
Network = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?\Z",
        description="an address or a network, such as '10.0.0.0/8' or '2001:db8::/32'",
    ),
]
Address = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?\Z",
        description="an IP address or a host name, without a port",
    ),
]
ServerNames = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:*-]+( [A-Za-z0-9_.:*-]+)*\Z",
        description="a host name, several with one space between them, or '_' for any",
    ),
]
HttpUrl = Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", description="an http(s) address")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections: immutable, keyword only, no unknown field."""
