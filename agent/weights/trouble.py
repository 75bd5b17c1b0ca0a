"""What an error of an origin means for the operator, and whether trying again can help. Pure."""

import errno
from collections.abc import Callable, Iterator, Mapping

import msgspec
from httpx2 import HTTPError, TimeoutException  # the HTTP library of huggingface_hub 2
from huggingface_hub import errors
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # lazy


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of which Hub, or of which directory when `folder` is set."""

    hub: str
    repo: str
    commit: str
    token: bool
    folder: str | None = None


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
    return Trouble(
        sentence=f"fetching {asked.repo} failed: {type(error).__name__}: {_first(error)}"
    )


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


def _no_file(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(
        sentence=f"{asked.repo} has not all files at {asked.commit} that it should have: look at "
        f"{asked.hub}/{asked.repo}/tree/{asked.commit}"
    )


def _unresolved(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(
        sentence=f"{asked.hub} did not say what {asked.commit} of {asked.repo} is: it cannot be "
        "reached, or there is no such branch",
        passing=True,
    )


def _no_safetensors(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=pickled(asked))


def pickled(asked: Asked) -> str:
    """Return the sentence for a model without safetensors."""
    return (
        f"{asked.repo} has no .safetensors at {asked.commit}: Stoker serves no pickled "
        "weights, for they can run any code"
    )


def _garbled(error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"{asked.repo} has a file that is no safetensors: {_first(error)}")


def _no_token(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(
        sentence=f"{asked.hub} wants a token for {asked.repo}: set model_token_file to a file "
        "with one"
    )


def _offline(_error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"{asked.hub} was not asked: HF_HUB_OFFLINE is set; unset it")


def _too_large(error: BaseException, asked: Asked) -> Trouble | None:
    if "too large to be downloaded" not in str(error):  # the library raises a plain ValueError
        return None
    return Trouble(
        sentence=f"{asked.repo} has a file of more than 50 GB, which {asked.hub} gives only "
        "through its Xet storage: let the node reach it (https://*.xethub.hf.co)"
    )


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
        after = _seconds(error.response.headers)
        return Trouble(sentence=f"{asked.hub} limits our requests", passing=True, after=after)
    if status >= 500:
        after = _seconds(error.response.headers)
        return Trouble(
            sentence=f"{asked.hub} fails with status {status}", passing=True, after=after
        )
    return None


def _unreachable(error: BaseException, asked: Asked) -> Trouble:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Trouble(
            sentence=f"the certificate of {asked.hub} is not trusted: its CA must be in the "
            "system's store"
        )
    if isinstance(error, TimeoutException):
        return Trouble(sentence=f"{asked.hub} does not answer in time", passing=True)
    return Trouble(sentence=f"{asked.hub} cannot be reached: {_first(error)}", passing=True)


def _broken_transfer(error: BaseException, asked: Asked) -> Trouble:
    return Trouble(sentence=f"a transfer from {asked.hub} broke: {_first(error)}", passing=True)


def _disk(error: BaseException, asked: Asked) -> Trouble | None:
    assert isinstance(error, OSError)
    if error.errno == errno.ENOSPC:
        return Trouble(sentence="the disk became full while the weights were fetched")
    if asked.folder and str(error.filename or "").startswith(asked.folder):
        return _folder(error, asked.folder)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Trouble(sentence=f"may not write the weights: {error}")
    if "Consistency check failed" in str(error):
        return Trouble(sentence=f"{asked.hub} sent a file of the wrong size", passing=True)
    return None


def _folder(error: OSError, folder: str) -> Trouble:
    if isinstance(error, FileNotFoundError):
        return Trouble(
            sentence=f"model_source_dir = {folder!r}: there is no {error.filename}; is it mounted? "
            "(what lies below /home, /root and /tmp is not seen)"
        )
    return Trouble(sentence=f"model_source_dir = {folder!r}: {error.filename}: {error.strerror}")


def _seconds(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait, by the two headers that the Hub uses; 0 = not said."""
    wanted = headers.get("Retry-After", "")
    limit = parse_ratelimit_headers(headers)
    rest = limit.reset_in_seconds if limit and limit.remaining == 0 else 0
    return float(max(int(wanted) if wanted.isdigit() else 0, rest))


def _first(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# From special to general: to the library a gated repository is a kind of "not found", and every
# error of the Hub is an HTTPError and an OSError.
MEANINGS: tuple[tuple[type[BaseException], Meaning], ...] = (
    (errors.GatedRepoError, _gated),
    (errors.DisabledRepoError, _taken_down),
    (errors.RepositoryNotFoundError, _unknown_model),
    (errors.RevisionNotFoundError, _unknown_commit),
    (errors.RevisionResolutionError, _unresolved),
    (errors.RemoteEntryNotFoundError, _no_file),
    (errors.NotASafetensorsRepoError, _no_safetensors),
    (errors.SafetensorsParsingError, _garbled),
    (errors.LocalTokenNotFoundError, _no_token),
    (errors.OfflineModeIsEnabled, _offline),
    (errors.HfHubHTTPError, _status),
    (errors.XetDownloadError, _broken_transfer),
    (HTTPError, _unreachable),  # refused, reset, timed out, TLS
    (ValueError, _too_large),
    (OSError, _disk),
)
