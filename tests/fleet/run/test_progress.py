"""The course of a run: what is shown of each host after each event."""

from fleet.run.events import AnyEvent, Began, Changed, Finished, Locked, Operation, Turn, lines
from fleet.run.progress import COMES, LOOKED_AT, OTHERS, TURNED, WAITS, Progress, begin, fold
from fleet.run.screen import line, screen, still

HOSTS = ("a", "b", "c")
PLACE = "base | place x"
RUN = "engine | run the engines"


def after(*events: AnyEvent) -> Progress:
    run = begin(HOSTS, 0.0)
    for event in events:
        run = fold(run, event)
    return run


def doing(run: Progress) -> list[str]:
    return [one.what for one in run.hosts.values()]


START = (Locked(at=1, hosts=HOSTS), Began(at=2, operations=9, batches=(("a",), ("b",), ("c",))))


def test_from_looking_to_the_last_batch() -> None:
    assert doing(after()) == [LOOKED_AT] * 3
    assert doing(after(*START)) == [WAITS] * 3
    placing = (*START, Operation(at=3, name=PLACE, hosts=("a", "b")))
    assert doing(after(*placing)) == [PLACE, PLACE, WAITS]
    assert doing(after(*placing, Finished(at=4, host="a"))) == [OTHERS, PLACE, WAITS]
    second: tuple[AnyEvent, ...] = (
        *placing,
        Finished(at=4, host="a"),
        Finished(at=4, host="b"),
        Turn(at=5, number=2, hosts=("b",)),
        Operation(at=5, name="rollout | now b", hosts=HOSTS),
    )
    run = after(*second, Operation(at=6, name=RUN, hosts=("b",)))
    assert doing(run) == [TURNED, RUN, COMES]
    assert (run.turn, run.number) == (2, 3)
    assert doing(fold(run, Finished(at=9, host="b", failed=True)))[1] == f"failed at: {RUN}"


def test_the_screen_has_a_line_for_what_differs() -> None:
    run = after(*START, Operation(at=3, name=PLACE, hosts=("a", "b")))
    shown = screen(run, "deploy of prod.py", 0.0, 63.0, rows=20, colour=False).splitlines()
    assert shown[0] == "deploy of prod.py · 1 min · operation 1 of 9"
    assert [row.split() for row in shown[1:]] == [
        ["a,", "b", *PLACE.split(), "·", "1", "min"], ["c", "waits"],
    ]  # fmt: skip
    assert len(screen(run, "x", 0, 1, rows=3, colour=False).splitlines()) == 3
    assert screen(run, "x", 0, 1, rows=3, colour=False).endswith("  and 1 more")


def test_the_screen_fits_with_long_names_and_many_hosts() -> None:
    names = tuple(f"gpu-{n}.rack-17.datacenter.example.org" for n in range(200))
    run = fold(begin(names, 0), Operation(at=1, name="stage | " + "x" * 200, hosts=names[:90]))
    shown = screen(run, "deploy", 0, 1, rows=24, colour=False).splitlines()
    assert len(shown) == 3
    assert max(map(len, shown)) <= 100


def test_lines_without_a_terminal() -> None:
    run = after(*START, Operation(at=3, name=RUN, hosts=("a",)))
    assert line(run, Operation(at=3, name=RUN, hosts=("a",))) == ""
    assert line(run, Turn(at=5, number=2, hosts=("b",))) == "now b (batch 2 of 3)"
    assert line(run, Changed(at=4, name=PLACE, hosts=HOSTS)) == f"changed  {PLACE}: a, b, c"
    assert line(run, Finished(at=4, host="a", failed=True)) == f"FAILED   {RUN}: a"
    assert line(run, Finished(at=4, host="a")) == ""
    assert still(run, 20, 3) == ""
    assert still(run, 43, 3) == f"still    {RUN}: a (40 s)"


def test_half_a_line_and_a_line_of_another_version_are_left_out() -> None:
    text = b'{"event":"turn","at":1,"number":2,"hosts":["b"]}\n{"event":"new","at":1}\n{"event":"tu'
    assert list(lines(text)) == [Turn(at=1, number=2, hosts=("b",))]
