"""The judge of the tests under load: a whole answer, a refusal that nobody has, or a loss."""

import pytest

from tests.sandbox.balanced import judged

STREAM = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
CHUNKED = b"5\r\n" + STREAM + b"\r\n0\r\n\r\n"
WHOLE = b'{"choices":[{"finish_reason":"length"}]}'
CLOSED = b'{"error":{"code":"engine_not_serving"}}'


def _head(status: int, **headers: object) -> str:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} X", "X-Request-Id: abc", *lines, "", ""])


@pytest.mark.parametrize(
    ("head", "body", "stream", "how"),
    [
        (_head(200, transfer_encoding="chunked"), CHUNKED, True, "answered"),
        (_head(200, transfer_encoding="chunked"), CHUNKED[:-5], True, "lost"),
        (_head(200, transfer_encoding="chunked"), b"5\r\ndata: {}\r\n0\r\n\r\n", True, "lost"),
        (
            _head(200, transfer_encoding="chunked"),
            b'data: {"error":{}}\n\n' + CHUNKED,
            True,
            "lost",
        ),
        (_head(200, content_length=len(WHOLE)), WHOLE, False, "answered"),
        (_head(200, content_length=len(WHOLE) + 1), WHOLE, False, "lost"),
        (_head(200, content_length=2), b"{}", False, "lost"),
        (_head(503, retry_after=2), CLOSED, False, "elsewhere"),
        (_head(503), CLOSED, False, "lost"),  # not told when to come again
        (_head(503, retry_after=2), b'{"error":{"code":"engine_unavailable"}}', False, "lost"),
        (_head(502), b"", False, "lost"),
        (_head(401), b"", False, "lost"),
    ],
)
def test_the_verdict(head: str, body: bytes, stream: bool, how: str) -> None:
    found = judged(head, body, stream=stream)
    assert (found.how, found.id) == (how, "abc")
