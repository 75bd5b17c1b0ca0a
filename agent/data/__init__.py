"""Tables that ship with the agent. Read them with `importlib.resources.files("agent.data")`.

xid-catalogue.tsv: NVIDIA's Xid numbers, with the remedy we take and what other tools would do.
xid-nvlink5-decode.tsv: the error words of Xid 144-150 as masks and values, one rule a row.
"""
