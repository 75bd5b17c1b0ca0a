import errno

import httpx2
import pytest
from huggingface_hub import errors

from agent.weights.trouble import Asked, explain

ASKED = Asked(hub="https://hub.example", repo="org/name", commit="c" * 40, token=True)
ANONYMOUS = Asked(hub="https://hub.example", repo="org/name", commit="c" * 40, token=False)


def status(code: int, **headers: str) -> errors.HfHubHTTPError:
    return errors.HfHubHTTPError("x", response=answer(code, **headers))


def answer(code: int, **headers: str) -> httpx2.Response:
    request = httpx2.Request("GET", "https://hub.example/x")
    return httpx2.Response(code, headers=headers, request=request)


LASTING = [
    (errors.GatedRepoError("x", response=answer(403)), "accept the licence"),
    (errors.RepositoryNotFoundError("x", response=answer(404)), "engine_model"),
    (errors.RevisionNotFoundError("x", response=answer(404)), "engine_revision"),
    (errors.DisabledRepoError("x", response=answer(403)), "taken down"),
    (status(401), "wrong or has expired"),
    (status(403), "lacks the right"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk became full"),
    (PermissionError(errno.EACCES, "denied", "/x"), "may not write"),
    (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), "not trusted"),
    (KeyError("surprise"), "KeyError"),
]
PASSING = [
    (status(429), "limits our requests"),
    (status(503), "status 503"),
    (httpx2.ConnectError("Connection refused"), "cannot be reached"),
    (httpx2.ReadError("Connection reset by peer"), "cannot be reached"),
    (httpx2.ReadTimeout(""), "ReadTimeout"),
    (errors.XetDownloadError("x"), "broke"),
    (OSError("Consistency check failed: file should be of size 5"), "wrong size"),
]


@pytest.mark.parametrize(("error", "words"), LASTING)
def test_what_an_operator_must_change_is_not_tried_again(error: Exception, words: str) -> None:
    trouble = explain(error, ASKED)
    assert words in trouble.sentence
    assert not trouble.passing


@pytest.mark.parametrize(("error", "words"), PASSING)
def test_what_passes_is_tried_again(error: Exception, words: str) -> None:
    trouble = explain(error, ASKED)
    assert words in trouble.sentence
    assert trouble.passing


@pytest.mark.parametrize(("error", "words"), LASTING + PASSING)
def test_a_sentence_is_one_line(error: Exception, words: str) -> None:
    assert "\n" not in explain(error, ASKED).sentence


def test_without_a_token_the_advice_is_another() -> None:
    gated = errors.GatedRepoError("x", response=answer(401))
    assert "set model_token_file" in explain(gated, ANONYMOUS).sentence
    unknown = errors.RepositoryNotFoundError("x", response=answer(401))
    assert "model_token_file if it is private" in explain(unknown, ANONYMOUS).sentence


def test_retry_after_is_honoured() -> None:
    assert explain(status(429, **{"Retry-After": "17"}), ASKED).after == 17
    assert explain(status(429, **{"Retry-After": "Wed, 21 Oct"}), ASKED).after == 0


def test_looks_behind_the_librarys_own_conclusion() -> None:
    wrapped = errors.LocalEntryNotFoundError("cannot find an appropriate snapshot")
    wrapped.__cause__ = status(503)
    assert explain(wrapped, ASKED).passing
