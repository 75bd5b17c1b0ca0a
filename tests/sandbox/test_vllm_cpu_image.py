"""The recipes of the real engine and the real model are complete and name no registry."""

import re
from pathlib import Path

import pytest

from tests.sandbox.models import smollm2
from tests.sandbox.vllm_cpu import image

LISTS = [image.REQUIREMENTS, smollm2.REQUIREMENTS]


@pytest.mark.parametrize("requirements", LISTS, ids=lambda path: path.parent.name)
def test_every_requirement_is_pinned(requirements: Path) -> None:
    lines = [line for line in requirements.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert any(line.startswith("torch==") for line in lines)


@pytest.mark.parametrize("requirements", LISTS, ids=lambda path: path.parent.name)
def test_comments_name_no_host(requirements: Path) -> None:
    assert "://" not in requirements.read_text()
