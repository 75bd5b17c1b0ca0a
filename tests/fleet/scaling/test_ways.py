"""The two edges, for real: a process, and an HTTP receiver."""

import shlex
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.errors import StokerError
from agent.webhook_signature import verify
from fleet.command import WrongUseError
from fleet.scaling.event import Event
from fleet.scaling.post import Post, secret
from fleet.scaling.run_command import RunCommand

EVENT = Event(
    id="scale-1",
    at=1.0,
    node="desk",
    model="org/m; touch pwned",
    current=2,
    desired=4,
    reason='60 wait "in" $(two) `x`',
    hosts=("a", "b"),
)


def python(program: str, deadline: float = 20.0) -> RunCommand:
    return RunCommand(f"{sys.executable} -c {shlex.quote(program)}", deadline)


def test_a_command_gets_the_answer_as_variables_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = (
        "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text("
        "'|'.join(os.environ[k] for k in ('STOKER_MODEL', 'STOKER_DESIRED', 'STOKER_REASON'))"
        " + '|' + sys.argv[2])"
    )
    line = f"{sys.executable} -c {shlex.quote(program)} {out} '$HOME;*'"
    assert RunCommand(line, 20.0).tell(EVENT) == ""
    assert out.read_text() == 'org/m; touch pwned|4|60 wait "in" $(two) `x`|$HOME;*'


def test_a_command_that_fails_says_so_with_its_last_line() -> None:
    found = python("print('no quota'); raise SystemExit(3)").tell(EVENT)
    assert found == f"{sys.executable} ended with 3: no quota"


def test_a_command_has_a_deadline() -> None:
    begun = time.monotonic()
    found = python("import time; time.sleep(60)", 0.5).tell(EVENT)
    assert found == f"{sys.executable} did not end within 0.5 s"
    assert time.monotonic() - begun < 10


def test_what_a_command_leaves_in_the_background_is_not_waited_for() -> None:
    begun = time.monotonic()
    assert RunCommand("sh -c 'sleep 3 & exit 0'", 1.0).tell(EVENT) == ""
    assert RunCommand("sh -c 'sleep 3 & echo no quota; exit 3'", 1.0).tell(EVENT) == (
        "sh ended with 3: no quota"
    )
    assert time.monotonic() - begun < 2.5


def test_what_a_command_began_ends_with_its_deadline(tmp_path: Path) -> None:
    late = tmp_path / "late"
    begun = time.monotonic()
    line = f"sh -c '(sleep 2; touch {late}); true'"
    assert RunCommand(line, 0.5).tell(EVENT) == "sh did not end within 0.5 s"
    assert time.monotonic() - begun < 1.8
    time.sleep(2.5 - (time.monotonic() - begun))
    assert not late.exists()


@pytest.mark.parametrize("size", [0, 100, 10_000_000])
def test_a_command_may_say_much_and_in_any_bytes(size: int) -> None:
    program = f"sys.stdout.buffer.write(b'x' * {size} + b'\\xff\\n no quota '); raise SystemExit(3)"
    found = python(f"import sys; {program}").tell(EVENT)
    assert found == f"{sys.executable} ended with 3: no quota"


def test_a_command_that_is_not_there() -> None:
    assert RunCommand("/no/such/program x", 1.0).tell(EVENT) == (
        "/no/such/program cannot be run: No such file or directory"
    )


@pytest.mark.parametrize("line", ["", "  ", "echo 'open"])
def test_a_command_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(WrongUseError):
        RunCommand(line, 1.0)


class Receiver:
    """An HTTP server that answers with `status`, and remembers what it got."""

    def __init__(self) -> None:
        self.status, self.got = 200, list[tuple[dict[str, str], bytes]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                if 300 <= outer.status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=hidden"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_post_is_signed_as_the_agents_are(receiver: Receiver) -> None:
    assert Post(receiver.url, b"key", 5.0).tell(EVENT) == ""
    headers, body = receiver.got[0]
    stamp, signature = headers["Stoker-Timestamp"], headers["Stoker-Signature"]
    assert body == EVENT.body()
    assert headers["Stoker-Event-Id"] == "scale-1"
    assert verify(b"key", stamp, body, signature, time.time())
    assert not verify(b"other", stamp, body, signature, time.time())


@pytest.mark.parametrize("status", [302, 400, 403, 429, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    assert Post(receiver.url, b"key", 5.0).tell(EVENT) == f"the receiver said HTTP {status}"
    assert len(receiver.got) == 1


def test_a_receiver_that_is_away_is_told_without_its_url() -> None:
    found = Post("http://127.0.0.1:1/hook?token=hidden", b"key", 2.0).tell(EVENT)
    assert found == "the receiver cannot be reached: ConnectionRefusedError"


def test_a_post_needs_a_secret_and_an_address(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="--webhook-secret-file"):
        secret(None)
    with pytest.raises(StokerError, match="No such file"):
        secret(str(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(StokerError, match="is empty"):
        secret(str(tmp_path / "empty"))
    with pytest.raises(WrongUseError, match="http"):
        Post("file:///etc/passwd", b"k", 1.0)
