"""One engine, whatever its program: load, speed, and how its requests end."""

from fleet.monitoring.boards.board import Board, Panel, Query, Variable, line

ON = '{instance=~"$instance",engine=~"$engine"}'
WHO = "{{instance}} {{engine}}"


def _quantiles(title: str, name: str) -> Panel:
    return Panel(
        title=title,
        unit="s",
        queries=tuple(
            Query(
                f"histogram_quantile({q}, rate(stoker_engine_{name}_seconds_bucket{ON}[5m]))",
                f"{WHO} p{q * 100:g}",
            )
            for q in (0.5, 0.95, 0.99)
        ),
    )


BOARD = Board(
    uid="stoker-engine",
    title="Stoker: engine",
    variables=(
        Variable("instance", "stoker_engine_info"),
        Variable("engine", 'stoker_engine_info{instance=~"$instance"}'),
    ),
    panels=(
        Panel(
            title="What it is",
            kind="table",
            queries=(Query(f"stoker_engine_info{ON}"),),
            width=12,
            height=5,
        ),
        Panel(
            title="GPUs it runs on",
            kind="table",
            queries=(Query(f"stoker_engine_gpu_info{ON}"),),
            width=12,
            height=5,
        ),
        Panel(
            title="Requests",
            queries=(
                Query(f"stoker_engine_requests_running{ON}", f"{WHO} running"),
                Query(f"stoker_engine_requests_waiting{ON}", f"{WHO} waiting"),
                Query(f"stoker_engine_requests_running_max{ON}", f"{WHO} at most"),
            ),
        ),
        line(
            "Batch in use",
            f"stoker:engine_batch_use:ratio{ON}",
            WHO,
            unit="percentunit",
            bad=0.9,
            note="TGI: of the requests that it lets in; it does not tell how full its batch is.",
        ),
        line(
            "KV cache in use",
            f"stoker_engine_kv_use_ratio{ON}",
            WHO,
            unit="percentunit",
            most=1,
            bad=0.95,
        ),
        Panel(
            title="Tokens a second",
            queries=(
                Query(f"stoker:engine_generated_tokens:rate2m{ON}", f"{WHO} generated"),
                Query(f"stoker:engine_prompt_tokens:rate2m{ON}", f"{WHO} read"),
            ),
            note="TGI and SGLang count a request's tokens when it ends.",
        ),
        line(
            "A token takes, on average",
            f"stoker:engine_token_seconds:mean5m{ON}",
            WHO,
            unit="s",
            bad=0.1,
            note="TGI reckons the prompt in; the others do not.",
        ),
        line(
            "Requests, by how they end",
            f"stoker:engine_requests:rate2m{ON}",
            f"{WHO} {{{{outcome}}}}",
        ),
        _quantiles("Time in the queue", "queue"),
        _quantiles("Time to the first token", "first_token"),
        _quantiles("Time between two tokens", "inter_token"),
        _quantiles("Time of a whole request", "request"),
        line(
            "Prompt tokens found in the prefix cache",
            f"stoker:engine_prefix_hit:ratio5m{ON}",
            WHO,
            unit="percentunit",
            most=1,
        ),
        line(
            "Requests that lost their place in the KV cache",
            f"rate(stoker_engine_preemptions_total{ON}[5m])",
            WHO,
            unit="reqps",
        ),
        line("KV cache, tokens", f"stoker_engine_kv_capacity_tokens{ON}", WHO),
        Panel(
            title="Restarts that the agent has left",
            queries=(
                Query(f"stoker_engine_restarts_left{ON}", f"{WHO} left"),
                Query(f"stoker_engine_restarts_max{ON}", f"{WHO} of"),
            ),
        ),
        line(
            "Share of its work that it can do",
            f"stoker_engine_capacity_ratio{ON}",
            WHO,
            unit="percentunit",
            most=1,
        ),
        line(
            "Since its last start",
            f"time() - stoker_engine_start_timestamp_seconds{ON}",
            WHO,
            unit="s",
        ),
    ),
)
