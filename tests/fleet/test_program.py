from fleet import program
from fleet.render import ROOT


def test_the_stamp_is_of_program_and_python() -> None:
    assert program.stamp("3.11") == program.stamp("3.11")
    assert program.stamp("3.11") != program.stamp("3.13")


def test_the_stamp_covers_the_agent_and_its_lock() -> None:
    sources = {str(path.relative_to(ROOT)) for path in program._sources()}
    assert {"agent/spec.py", "agent/runner/run.py", "requirements/node.lock"} <= sources
    assert not [path for path in sources if "__pycache__" in path]
