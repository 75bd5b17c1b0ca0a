"""Tables that ship with the agent. Read them with `importlib.resources.files("agent.data")`.

xid-catalogue.tsv: NVIDIA's Xid numbers, with the remedy we take and what other tools would do.
xid-nvlink5-decode.tsv: the error words of Xid 144-150 as masks and values, one rule a row.
KIND-flags.tsv: every flag of an engine's server (TGI 3.3, vLLM 0.33.0, SGLang 0.5.23).
"""
