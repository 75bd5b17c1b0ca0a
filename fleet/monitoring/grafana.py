"""Grafana's boards, and where they lie on a host. Pure."""

import json
from functools import cache

from fleet.monitoring.boards import engine, fleet, gpu, node
from fleet.monitoring.boards.board import Board
from fleet.monitoring.prometheus import DIRECTORY

BOARDS = f"{DIRECTORY}/boards"
SOURCE = "stoker"  # the uid of the data source

ALL: tuple[Board, ...] = (fleet.BOARD, node.BOARD, engine.BOARD, gpu.BOARD)


@cache
def boards() -> dict[str, str]:
    """Return the text of each board by its path on the host; the same text every time."""
    return {f"{BOARDS}/{one.uid}.json": text(one) for one in ALL}


def text(board: Board) -> str:
    """Return one board as Grafana reads it."""
    return json.dumps(board.document(), indent=2, ensure_ascii=False) + "\n"
