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
    """HTTP codes (0 = no answer) for the right to download `repo`, and for the `revision`."""

    access: int
    commit: int
    error: str = ""
    repo: str = ""
    revision: str = ""


GRANTED = Answer(200, 200)


def ask(host: Host, model: ModelSpec, engine: EngineSpec, token: str) -> Answer:
    """Ask the Hub from `host` for all that `engine` serves; return the first answer that is no."""
    if model.source_dir is not None:  # nothing is downloaded
        return GRANTED
    for repo, revision in engine.repositories:
        access, commit, error = _ask(host, f"{model.hub}/api/models/{repo}", revision, token)
        answer = Answer(access, commit, error, repo, revision)
        if problem(answer, model, engine):
            return answer
    return GRANTED


def _ask(host: Host, api: str, revision: str, token: str) -> tuple[int, int, str]:
    """The metadata of a gated model is public, hence `auth-check`."""
    lines = [f'url = "{api}/auth-check"', f'url = "{api}/revision/{revision}"']
    lines += ['output = "/dev/null"'] * 2
    if token:
        lines.append(f'header = "Authorization: Bearer {token}"')
    try:
        _, output = host.run_shell_command(
            StringCommand(_ASK), _stdin="\n".join(lines), _timeout=60
        )
    except (PyinfraError, OSError) as error:
        return 0, 0, str(error)
    codes = [int(line) for line in output.stdout_lines if line.strip().isdigit()]
    if len(codes) != 2:
        return 0, 0, output.stderr
    return codes[0], codes[1], output.stderr.strip().splitlines()[0] if output.stderr else ""


def problem(answer: Answer, model: ModelSpec, engine: EngineSpec) -> str | None:
    """Say what an operator must do before the model can be downloaded; None = nothing. Pure."""
    repo, revision = answer.repo or engine.model, answer.revision or engine.revision
    if answer.access == 200:
        if answer.commit == 404:
            return f"{repo} has no commit {revision}: check engine_revision"
        return None
    page = f"{model.hub}/{repo}"
    sentences = {
        0: f"cannot reach the Hub {model.hub}: {answer.error or 'no answer'}",
        401: f"the Hub shows {repo} to nobody without a token (401): check engine_model, "
        f"or set model_token_file to the token of an account that has access ({page})",
        403: f"the Hub refuses {repo} without a token (403): accept its licence at {page} "
        "and set model_token_file",
        404: f"the Hub has no public model {repo} (404): check engine_model",
        429: f"the Hub {model.hub} limits our requests (429): deploy again in five minutes",
    }
    if model.token_file:
        token = f"the token in {model.token_file}"
        sentences |= {
            401: f"the Hub does not accept {token} (401): it is wrong or has expired",
            403: f"the Hub refuses {repo} to {token} (403): accept its licence at {page} "
            "with that account, and let the token read gated repositories",
            404: f"the Hub has no model {repo} that {token} may read (404)",
        }
    if answer.access >= 500:
        return (
            f"the Hub {model.hub} fails with status {answer.access}: deploy again later "
            "(weights that are complete already need no Hub)"
        )
    other = f"the Hub {model.hub} answers {answer.access} when asked for {repo}"
    return sentences.get(answer.access, other)
