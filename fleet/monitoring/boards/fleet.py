"""The fleet: is anybody out, is there enough, does anything need a person."""

from fleet.monitoring.boards.board import Board, Panel, Query, line, stat

BOARD = Board(
    uid="stoker-fleet",
    title="Stoker: fleet",
    panels=(
        stat("Hosts that do not answer", 'count(up{job="stoker"} == 0) or vector(0)', bad=1),
        stat("Hosts", 'count(up{job="stoker"})'),
        stat("Engines serving", 'sum(stoker_engine_phase{phase="SERVING"})', bad=1, below=True),
        stat("Engines", "count(stoker_engine_info)"),
        stat("Alerts", 'count(ALERTS{alertstate="firing"}) or vector(0)', bad=1),
        stat("Open incidents", "sum(stoker_incidents_open)", bad=1),
        line(
            "Tokens a second, by model",
            "stoker:model_generated_tokens:rate2m",
            "{{model}}",
            note="TGI and SGLang count a request's tokens when it ends.",
        ),
        line(
            "Requests waiting, by model", "stoker:model_requests_waiting:sum", "{{model}}", bad=50
        ),
        line(
            "Engines that serve, by model",
            "stoker:model_serving:engines",
            "{{model}}",
            bad=1,
            below=True,
        ),
        line(
            "First token, 99 of 100",
            "stoker:engine_first_token_seconds:p99_5m",
            "{{instance}} {{engine}}",
            unit="s",
            note="TGI does not tell it; see the gateway's first byte.",
        ),
        line(
            "First byte at the gateway, 99 of 100",
            "histogram_quantile(0.99, sum by (le, instance, model) "
            "(rate(stoker_gateway_first_byte_seconds_bucket[5m])))",
            "{{instance}} {{model}}",
            unit="s",
        ),
        line(
            "KV cache in use",
            "stoker_engine_kv_use_ratio",
            "{{instance}} {{engine}}",
            unit="percentunit",
            most=1,
            bad=0.95,
        ),
        line(
            "Answers of the gateways, by status",
            "sum by (status) (rate(stoker_gateway_requests_total[5m]))",
            "{{status}}",
            unit="reqps",
        ),
        line(
            "Refused by the gateways, by reason",
            "sum by (reason) (rate(stoker_gateway_refused_total[5m]))",
            "{{reason}}",
            unit="reqps",
        ),
        line(
            "Streams, by how they end",
            "sum by (end) (rate(stoker_gateway_streams_total[5m]))",
            "{{end}}",
            unit="reqps",
        ),
        Panel(
            title="Phases",
            kind="table",
            queries=(Query("stoker_engine_phase == 1"),),
            width=12,
        ),
        Panel(
            title="Findings that stand",
            kind="table",
            queries=(Query("stoker_condition == 1"),),
            width=12,
        ),
        line(
            "Faults, an hour",
            "sum by (instance, xid) (increase(stoker_xid_total[1h]))",
            "{{instance}} Xid {{xid}}",
        ),
        line(
            "Starts of engines, an hour",
            "sum by (instance, engine, reason) (increase(stoker_restarts_total[1h]))",
            "{{instance}} {{engine}}: {{reason}}",
        ),
        line(
            "Left as it drifted",
            "sum by (instance) (stoker_drift_left)",
            "{{instance}}",
            bad=1,
        ),
        line(
            "Certificates are good for",
            "stoker_certificate_expiry_seconds",
            "{{instance}}",
            unit="s",
            bad=14 * 86400,
            below=True,
        ),
        line(
            "Since the last comparison with the release",
            "time() - stoker_drift_checked_timestamp_seconds",
            "{{instance}}",
            unit="s",
            bad=10800,
        ),
        line(
            "Remedies by the agents, a day",
            "sum by (rung, result) (increase(stoker_remedy_total[1d]))",
            "{{rung}}: {{result}}",
        ),
    ),
)
