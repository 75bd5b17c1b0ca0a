"""Does the Hub let us have the models? Asked by the host, since the host is what will download.

The token travels on stdin, as curl's configuration: it is in no argument and in no log.
"""

import msgspec
from pyinfra.api import StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host

from agent.spec import EngineSpec, ModelSpec

_ASK = "curl -sS --max-time 20 -w '%{http_code}\\n' -K -"


class Answer(msgspec.Struct, frozen=True):
    """HTTP codes (0 = no answer) for the right to download, and for the commit."""

    access: int
    commit: int
    error: str = ""


def ask(host: Host, model: ModelSpec, engine: EngineSpec, token: str) -> Answer:
    """Ask the Hub from `host`. The metadata of a gated model is public, hence `auth-check`."""
    api = f"{model.hub}/api/models/{engine.model}"
    lines = [f'url = "{api}/auth-check"', f'url = "{api}/revision/{engine.revision}"']
    lines += ['output = "/dev/null"'] * 2
    if token:
        lines.append(f'header = "Authorization: Bearer {token}"')
    try:
        _, output = host.run_shell_command(
            StringCommand(_ASK), _stdin="\n".join(lines), _timeout=60
        )
    except (PyinfraError, OSError) as error:
        return Answer(0, 0, str(error))
    codes = [int(line) for line in output.stdout_lines if line.strip().isdigit()]
    if len(codes) != 2:
        return Answer(0, 0, output.stderr)
    return Answer(
        codes[0], codes[1], output.stderr.strip().splitlines()[0] if output.stderr else ""
    )


def problem(answer: Answer, model: ModelSpec, engine: EngineSpec) -> str | None:
    """Say what an operator must do before the model can be downloaded; None = nothing. Pure."""
    if answer.access == 200:
        if answer.commit == 404:
            return f"{engine.model} has no commit {engine.revision}: check engine_revision"
        return None
    page = f"{model.hub}/{engine.model}"
    sentences = {
        0: f"cannot reach the Hub {model.hub}: {answer.error or 'no answer'}",
        401: f"the Hub shows {engine.model} to nobody without a token (401): check engine_model, "
        f"or set model_token_file to the token of an account that has access ({page})",
        403: f"the Hub refuses {engine.model} without a token (403): accept its licence at {page} "
        "and set model_token_file",
        404: f"the Hub has no public model {engine.model} (404): check engine_model",
    }
    if model.token_file:
        token = f"the token in {model.token_file}"
        sentences |= {
            401: f"the Hub does not accept {token} (401): it is wrong or has expired",
            403: f"the Hub refuses {engine.model} to {token} (403): accept its licence at {page} "
            "with that account, and let the token read gated repositories",
            404: f"the Hub has no model {engine.model} that {token} may read (404)",
        }
    other = f"the Hub {model.hub} answers {answer.access} when asked for {engine.model}"
    return sentences.get(answer.access, other)
