import errno
from typing import Any

import httpx2
import pytest
from huggingface_hub import errors

from agent.weights.trouble import Asked, explain

COMMIT = "c" * 40
ASKED = Asked(hub="https://hub.example", repo="org/name", commit=COMMIT, token=True)
ANONYMOUS = Asked(hub="https://hub.example", repo="org/name", commit=COMMIT, token=False)
CARRIED = Asked(
    hub="https://hub.example", repo="org/name", commit=COMMIT, token=False, folder="/mnt/weights"
)


def answer(code: int, **headers: str) -> httpx2.Response:
    request = httpx2.Request("GET", "https://hub.example/x")
    return httpx2.Response(code, headers=headers, request=request)


def status(code: int, **headers: str) -> errors.HfHubHTTPError:
    return errors.HfHubHTTPError("x", response=answer(code, **headers))


def of(kind: Any, code: int = 404) -> Exception:
    made: Exception = kind("x", response=answer(code))
    return made


NO_MODEL = "https://hub.example has no model org/name that the token may read: check engine_model"
LASTING = [
    (
        of(errors.GatedRepoError, 403),
        "org/name is gated and the token's account has no access: accept the licence at "
        "https://hub.example/org/name with this account, and let the token read gated repositories",
    ),
    (of(errors.RepositoryNotFoundError), NO_MODEL),
    (
        of(errors.RevisionNotFoundError),
        f"org/name has no commit {COMMIT}: check engine_revision",
    ),
    (
        of(errors.RemoteEntryNotFoundError),
        f"org/name has not all files at {COMMIT} that it should have: look at "
        f"https://hub.example/org/name/tree/{COMMIT}",
    ),
    (of(errors.DisabledRepoError, 403), "org/name was taken down at https://hub.example"),
    (
        errors.NotASafetensorsRepoError("x"),
        f"org/name has no .safetensors at {COMMIT}: Stoker serves no pickled weights, for they "
        "can run any code",
    ),
    (
        errors.SafetensorsParsingError("header too long\nmore"),
        "org/name has a file that is no safetensors: header too long",
    ),
    (
        errors.LocalTokenNotFoundError("x"),
        "https://hub.example wants a token for org/name: set model_token_file to a file with one",
    ),
    (
        errors.OfflineModeIsEnabled("x"),
        "https://hub.example was not asked: HF_HUB_OFFLINE is set; unset it",
    ),
    (
        status(401),
        "https://hub.example does not accept the token: it is wrong or has expired "
        "(model_token_file)",
    ),
    (
        status(403),
        "https://hub.example refuses org/name: the token lacks the right to read it",
    ),
    (
        ValueError("The file is too large to be downloaded using the regular download method."),
        "org/name has a file of more than 50 GB, which https://hub.example gives only through its "
        "Xet storage: let the node reach it (https://*.xethub.hf.co)",
    ),
    (
        OSError(errno.ENOSPC, "No space left on device"),
        "the disk became full while the weights were fetched",
    ),
    (
        PermissionError(errno.EACCES, "denied", "/x"),
        "may not write the weights: [Errno 13] denied: '/x'",
    ),
    (
        httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"),
        "the certificate of https://hub.example is not trusted: its CA must be in the system's "
        "store",
    ),
    (KeyError("surprise"), "fetching org/name failed: KeyError: 'surprise'"),
]
PASSING = [
    (status(429), "https://hub.example limits our requests"),
    (status(500), "https://hub.example fails with status 500"),
    (status(503), "https://hub.example fails with status 503"),
    (
        errors.RevisionResolutionError("x"),
        f"https://hub.example did not say what {COMMIT} of org/name is: it cannot be reached, or "
        "there is no such branch",
    ),
    (
        httpx2.ConnectError("Connection refused"),
        "https://hub.example cannot be reached: Connection refused",
    ),
    (
        httpx2.ReadError("Connection reset by peer"),
        "https://hub.example cannot be reached: Connection reset by peer",
    ),
    (httpx2.ReadTimeout(""), "https://hub.example does not answer in time"),
    (httpx2.ConnectTimeout("x"), "https://hub.example does not answer in time"),
    (
        errors.XetDownloadError("Xet storage: refused\nmore"),
        "a transfer from https://hub.example broke: Xet storage: refused",
    ),
    (
        OSError("Consistency check failed: file should be of size 5"),
        "https://hub.example sent a file of the wrong size",
    ),
]


@pytest.mark.parametrize(("error", "sentence"), LASTING)
def test_what_an_operator_must_change_is_not_tried_again(error: Exception, sentence: str) -> None:
    trouble = explain(error, ASKED)
    assert trouble.sentence == sentence
    assert not trouble.passing


@pytest.mark.parametrize(("error", "sentence"), PASSING)
def test_what_passes_is_tried_again(error: Exception, sentence: str) -> None:
    trouble = explain(error, ASKED)
    assert trouble.sentence == sentence
    assert trouble.passing


def test_every_error_of_the_library_that_we_meet_is_told_apart() -> None:
    sentences = [sentence for _, sentence in LASTING + PASSING]
    assert len(set(sentences)) == len(sentences) - 1  # the two timeouts


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            of(errors.GatedRepoError, 401),
            "org/name is gated: set model_token_file to a file with the token of an account that "
            "accepted its licence at https://hub.example/org/name",
        ),
        (
            of(errors.RepositoryNotFoundError, 401),
            "https://hub.example has no public model org/name: check engine_model, or set "
            "model_token_file if it is private",
        ),
    ],
)
def test_without_a_token_the_advice_is_another(error: Exception, sentence: str) -> None:
    assert explain(error, ANONYMOUS).sentence == sentence


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/mnt/weights/a/b"),
            "model_source_dir = '/mnt/weights': there is no /mnt/weights/a/b; is it mounted? (what "
            "lies below /home, /root and /tmp is not seen)",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/mnt/weights/a/b"),
            "model_source_dir = '/mnt/weights': /mnt/weights/a/b: Permission denied",
        ),
    ],
)
def test_a_directory_has_errors_of_its_own(error: Exception, sentence: str) -> None:
    assert explain(error, CARRIED).sentence == sentence


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "Wed, 21 Oct"}, 0),
        ({"RateLimit": '"api";r=0;t=55'}, 55),
        ({"RateLimit": '"api";r=3;t=55'}, 0),
        ({}, 0),
    ],
)
def test_the_hub_says_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert explain(status(429, **headers), ASKED).after == seconds


def test_looks_behind_the_librarys_own_conclusion() -> None:
    wrapped = errors.LocalEntryNotFoundError("cannot find an appropriate snapshot")
    wrapped.__cause__ = status(503)
    assert explain(wrapped, ASKED).passing
