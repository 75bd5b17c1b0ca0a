"""One host: its engines, its gateway, its findings, its agent."""

from fleet.monitoring.boards.board import Board, Panel, Query, Variable, line

ON = '{instance=~"$instance"}'

BOARD = Board(
    uid="stoker-node",
    title="Stoker: host",
    variables=(Variable("instance", 'up{job="stoker"}'),),
    panels=(
        Panel(
            title="Phases",
            kind="state-timeline",
            queries=(
                Query(
                    'stoker_engine_phase{instance=~"$instance"} == 1',
                    "{{instance}} {{engine}} {{phase}}",
                ),
            ),
            width=16,
        ),
        Panel(
            title="What the agent may do",
            kind="table",
            queries=(Query(f"stoker_agent_info{ON}"),),
        ),
        Panel(
            title="Findings that stand",
            kind="table",
            queries=(Query(f"stoker_condition{ON}"),),
            width=12,
        ),
        Panel(
            title="Remedies that wait",
            kind="table",
            queries=(Query(f"stoker_rung_waiting{ON} > 0"),),
            width=6,
        ),
        Panel(
            title="Checks that cannot tell",
            kind="table",
            queries=(Query(f"stoker_check_unknown{ON}"),),
            width=6,
        ),
        Panel(
            title="Requests in the engines",
            queries=(
                Query(f"stoker_engine_requests_running{ON}", "{{instance}} {{engine}} running"),
                Query(f"stoker_engine_requests_waiting{ON}", "{{instance}} {{engine}} waiting"),
            ),
        ),
        line(
            "Answers of the gateway",
            f"sum by (instance, status) (rate(stoker_gateway_requests_total{ON}[5m]))",
            "{{instance}} {{status}}",
            unit="reqps",
        ),
        line(
            "Answers, by whom they are for",
            f"topk(10, sum by (instance, tenant) (rate(stoker_gateway_requests_total{ON}[5m])))",
            "{{instance}} {{tenant}}",
            unit="reqps",
        ),
        line(
            "Streams, by how they end",
            f"sum by (instance, engine, end) (rate(stoker_gateway_streams_total{ON}[5m]))",
            "{{instance}} {{engine}} {{end}}",
            unit="reqps",
        ),
        line(
            "First byte at the gateway, half of them",
            "histogram_quantile(0.5, sum by (le, instance, model) "
            f"(rate(stoker_gateway_first_byte_seconds_bucket{ON}[5m])))",
            "{{instance}} {{model}}",
            unit="s",
        ),
        line("GPUs: power", f"stoker_gpu_power_watts{ON}", "{{instance}} {{uuid}}", unit="watt"),
        line(
            "Drains: how long",
            f"stoker_drain_seconds_sum{ON} / stoker_drain_seconds_count{ON}",
            "{{instance}} {{engine}}",
            unit="s",
        ),
        line(
            "Drains: requests in flight when they began",
            f"stoker_inflight_at_drain_sum{ON} / stoker_inflight_at_drain_count{ON}",
            "{{instance}} {{engine}}",
        ),
        line(
            "From a fault to the drain",
            f"stoker_detect_seconds_sum{ON} / stoker_detect_seconds_count{ON}",
            "{{instance}}",
            unit="s",
        ),
        line("Agent: a tick takes", f"stoker_tick_seconds{ON}", "{{instance}}", unit="s"),
        line(
            "Agent: lines lost before they were read",
            f"increase(stoker_source_gap_total{ON}[1h])",
            "{{instance}} {{source}}",
        ),
        line(
            "Drift: left, by kind",
            f"stoker_drift_left{ON}",
            "{{instance}} {{kind}}",
            bad=1,
        ),
    ),
)
