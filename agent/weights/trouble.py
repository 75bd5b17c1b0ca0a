"""What an error of the Hub means for the operator, and whether trying again can help. Pure."""

import errno
from collections.abc import Callable, Iterator

import msgspec
from httpx2 import HTTPError  # the HTTP library of huggingface_hub 2
from huggingface_hub import errors


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of which Hub."""

    hub: str
    repo: str
    commit: str
    token: bool


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence; `passing` = try again, not before `after` seconds."""

    sentence: str
    passing: bool = False
    after: float = 0.0


Meaning = Callable[[BaseException, Asked], Trouble | None]


def explain(error: BaseException, asked: Asked) -> Trouble:
    """Explain an error by itself or else by what caused it."""
    for part in _chain(error):
        if found := _known(part, asked):
            return found
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Trouble(sentence=f"fetching {asked.repo} failed: {type(error).__name__}: {first}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _known(error: BaseException, asked: Asked) -> Trouble | None:
    return next((mean(error, asked) for kind, mean in MEANINGS if isinstance(error, kind)), None)


def _gated(_error: BaseException, asked: Asked) -> Trouble:
    page = f"{asked.hub}/{asked.repo}"
    if asked.token:
        return Trouble(
            sentence=f"{asked.repo} is gated and the token's account has no access: accept the "
            f"licence at {page} with this account, and let the token read gated repositories"
        )
    return Trouble(
        sentence=f"{asked.repo} is gated: set model_token_file to a file with the token of an "
        f"account that accepted its licence at {page}"
    )


def _unknown_model(_error: BaseException, asked: Asked) -> Trouble:
    if asked.token:
        return Trouble(
            sentence=f"{asked.hub} has no model {asked.repo} that the token may read: check "
            "engine_model"
        )
    return Trouble(
        sentence=f"{asked.hub} has no public model {asked.repo}: check engine_model, or set "
        "model_token_file if it is private"
    )


def _unknown_commit(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"{asked.repo} has no commit {asked.commit}: check engine_revision")


def _taken_down(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"{asked.repo} was taken down at {asked.hub}")


def _status(error: BaseException, asked: Asked) -> Trouble | None:
    assert isinstance(error, errors.HfHubHTTPError)
    status = error.response.status_code
    if status == 401:
        return Trouble(
            sentence=f"{asked.hub} does not accept the token: it is wrong or has expired "
            "(model_token_file)"
        )
    if status == 403:
        return Trouble(
            sentence=f"{asked.hub} refuses {asked.repo}: the token lacks the right to read it"
        )
    if status == 429:
        after = _seconds(error.response.headers.get("Retry-After"))
        return Trouble(sentence=f"{asked.hub} limits our requests", passing=True, after=after)
    if status >= 500:
        return Trouble(sentence=f"{asked.hub} fails with status {status}", passing=True)
    return None


def _unreachable(error: BaseException, asked: Asked) -> Trouble:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Trouble(
            sentence=f"the certificate of {asked.hub} is not trusted: its CA must be in the "
            "system's store"
        )
    text = str(error) or type(error).__name__
    return Trouble(sentence=f"{asked.hub} cannot be reached: {text}", passing=True)


def _broken_transfer(error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"a transfer from {asked.hub} broke: {error}", passing=True)


def _disk(error: BaseException, asked: Asked) -> Trouble | None:
    assert isinstance(error, OSError)
    if error.errno == errno.ENOSPC:
        return Trouble(sentence="the disk became full while the weights were fetched")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Trouble(sentence=f"may not write the weights: {error}")
    if "Consistency check failed" in str(error):
        return Trouble(sentence=f"{asked.hub} sent a file of the wrong size", passing=True)
    return None


def _seconds(value: str | None) -> float:
    return float(value) if value and value.isdigit() else 0.0


# From special to general: to the library a gated repository is a kind of "not found", and every
# error of the Hub is an HTTPError and an OSError.
MEANINGS: tuple[tuple[type[BaseException], Meaning], ...] = (
    (errors.GatedRepoError, _gated),
    (errors.DisabledRepoError, _taken_down),
    (errors.RepositoryNotFoundError, _unknown_model),
    (errors.RevisionNotFoundError, _unknown_commit),
    (errors.HfHubHTTPError, _status),
    (errors.XetDownloadError, _broken_transfer),
    (HTTPError, _unreachable),  # refused, reset, timed out, TLS
    (OSError, _disk),
)
