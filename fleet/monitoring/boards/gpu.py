"""The GPUs: load, heat, and the slow signs of a board that is going to fail."""

from fleet.monitoring.boards.board import Board, Panel, Query, Variable, line

ON = '{instance=~"$instance",uuid=~"$uuid"}'
WHO = "{{instance}} {{uuid}}"

BOARD = Board(
    uid="stoker-gpu",
    title="Stoker: GPUs",
    variables=(
        Variable("instance", "stoker_gpu_info"),
        Variable("uuid", 'stoker_gpu_info{instance=~"$instance"}'),
    ),
    panels=(
        Panel(
            title="GPUs", kind="table", queries=(Query(f"stoker_gpu_info{ON}"),), width=12, height=5
        ),
        Panel(
            title="Who runs on them",
            kind="table",
            queries=(Query(f"stoker_engine_gpu_info{ON}"),),
            width=12,
            height=5,
        ),
        line(
            "Memory in use",
            f"stoker_gpu_memory_used_bytes{ON} / stoker_gpu_memory_total_bytes{ON}",
            WHO,
            unit="percentunit",
            most=1,
        ),
        line("Time busy", f"stoker_gpu_utilization_ratio{ON}", WHO, unit="percentunit", most=1),
        line("Power", f"stoker_gpu_power_watts{ON}", WHO, unit="watt"),
        line("Temperature", f"stoker_gpu_temperature_celsius{ON}", WHO, unit="celsius", bad=85),
        line(
            "What holds the clocks down",
            'stoker_gpu_clock_reason{instance=~"$instance",uuid=~"$uuid",reason!="gpu_idle"}',
            f"{WHO} {{{{reason}}}}",
        ),
        Panel(
            title="Share of time slowed down by hardware",
            unit="percentunit",
            queries=(
                Query(f"rate(stoker_gpu_thermal_slowdown_seconds_total{ON}[5m])", f"{WHO} heat"),
                Query(f"rate(stoker_gpu_power_brake_seconds_total{ON}[5m])", f"{WHO} power"),
            ),
        ),
        line(
            "Faults, six hours",
            'sum by (instance, uuid, xid) (increase(stoker_xid_total{instance=~"$instance"}[6h]))',
            f"{WHO} Xid {{{{xid}}}}",
        ),
        line("ECC errors", f"stoker_gpu_ecc_errors_total{ON}", f"{WHO} {{{{type}}}}"),
        Panel(
            title="Memory that is being replaced",
            queries=(
                Query(f"stoker_gpu_row_remap_pending{ON}", f"{WHO} row, at the next reset"),
                Query(f"stoker_gpu_row_remap_failed{ON}", f"{WHO} no row left"),
                Query(f"stoker_gpu_page_retirement_pending{ON}", f"{WHO} page, at the next reset"),
                Query(f"stoker_gpu_sram_threshold_exceeded{ON}", f"{WHO} SRAM, too many errors"),
            ),
            bad=1,
        ),
        line("What the driver says is needed", f"stoker_gpu_recovery_action{ON}", WHO, bad=1),
        Panel(
            title="PCIe",
            queries=(
                Query(f"stoker_gpu_pcie_lanes{ON} / stoker_gpu_pcie_lanes_max{ON}", f"{WHO} lanes"),
                Query(
                    f"stoker_gpu_pcie_generation{ON} / stoker_gpu_pcie_generation_max{ON}",
                    f"{WHO} generation",
                ),
            ),
            unit="percentunit",
            most=1,
            note="The generation drops while a GPU is idle; lanes do not.",
        ),
        line("PCIe packets sent again", f"rate(stoker_gpu_pcie_replays_total{ON}[5m])", WHO),
        line("NVLinks that are up", f"stoker_gpu_nvlinks_active{ON}", WHO),
        line("NVLink errors", f"rate(stoker_gpu_nvlink_errors_total{ON}[5m])", WHO),
        line(
            "The driver cannot be read",
            'stoker_gpu_blind{instance=~"$instance"}',
            "{{instance}}",
            bad=1,
        ),
    ),
)
