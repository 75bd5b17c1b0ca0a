from fleet.commands.shown import fit, listed, table, waiting


def test_columns_give_way_in_their_order_and_lines_stay_within_100() -> None:
    rows = [("HOST", "MODEL", "N"), ("h" * 30, "m" * 90, "1")]
    lines = table(rows, shrink={1: 20, 0: 10})
    assert max(map(len, lines)) == 100
    assert lines[1].split()[0] == "h" * 30
    wide = table([("HOST", "MODEL"), ("h" * 120, "m" * 90)], shrink={1: 20, 0: 10})
    assert max(map(len, wide)) <= 100


def test_colour_adds_no_width() -> None:
    plain = table([("a", "b")], {})
    assert table([("a", "b")], {}, lambda n, _text: "31" if n == 0 else "") == [
        plain[0].replace("a", "\x1b[31ma\x1b[0m")
    ]


def test_names() -> None:
    assert listed("abc", 2) == "a, b and 1 more"
    assert fit("abcdef", 4) == "abc…"
    assert waiting(["b", "c"], 3, 2.4) == "1 of 3 hosts have answered; waiting for b, c · 2 s"
