import pytest

from fleet.hub_access import Answer, problem
from tests.fleet.samples import spec


def _said(answer: Answer, token_file: str | None) -> str | None:
    made = spec(model_token_file=token_file, model_hub="https://hub.example")
    return problem(answer, made.model, made.engines["main"])


def test_access_is_no_problem() -> None:
    assert _said(Answer(200, 200), "/t") is None


@pytest.mark.parametrize(
    ("answer", "token", "said"),
    [
        (Answer(401, 401), "/t", "does not accept the token in /t (401)"),
        (Answer(401, 401), None, "set model_token_file"),
        (Answer(403, 200), "/t", "accept its licence at https://hub.example/org/model"),
        (Answer(403, 200), None, "without a token (403)"),
        (Answer(404, 404), "/t", "no model org/model that the token in /t may read"),
        (Answer(404, 404), None, "no public model"),
        (Answer(200, 404), "/t", "no commit cccc"),
        (Answer(0, 0, "curl: (6) no such host"), "/t", "cannot reach the Hub https://hub.example"),
        (Answer(502, 502), "/t", "answers 502"),
    ],
)
def test_every_refusal_says_what_to_do(answer: Answer, token: str | None, said: str) -> None:
    assert said in str(_said(answer, token))
