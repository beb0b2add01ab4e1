"""vethscope itself: what it sees, what it misses, what it costs."""

from panels import (GREEN, ORANGE, RED, graph, page, query, row, stat, table, thresholds,
                    variable)

NAME = "observer"
BUILD = "vethscope_build_info"
HERE = 'instance=~"$instance"'
LEGEND = "{{instance}}"
RANGE = "[$__rate_interval]"
BAD = thresholds((None, GREEN), (0.000001, ORANGE), (0.001, RED))
ANY = thresholds((None, GREEN), (1e-9, RED))
GOOD_WHEN_ONE = thresholds((None, RED), (1, GREEN))


def rate(family, selector=HERE):
    return f"rate({family}{{{selector}}}{RANGE})"


def total(family):
    return f"sum({rate(family)})"


def gauge(family):
    return f"{family}{{{HERE}}}"


def with_none(expression, label):
    """A line at zero where nothing of the kind was ever counted."""
    return f'{expression} or label_replace(vector(0), "{label}", "none", "", "")'


def blind_share():
    return (f"({total('vethscope_blind_connections_total')} or vector(0))"
            f" / {total('vethscope_tcp_connections_total')}")


def unmatched_share():
    counts = " + ".join(f"({total(f'http_{side}_request_duration_seconds_count')} or vector(0))"
                        for side in ("server", "client"))
    return f"({total('vethscope_unmatched_messages_total')} or vector(0)) / ({counts})"


def overview():
    dropped = total("vethscope_capture_dropped_packets_total")
    return [
        stat("Agents", f"count({gauge(BUILD)}) or vector(0)", size=(4, 4)),
        stat("Interfaces", f"sum({gauge('vethscope_capture_interfaces')})", size=(4, 4)),
        stat("Packets dropped", f"{dropped} / {total('vethscope_capture_packets_total')}",
             "percentunit", "By the kernel, as they were not read in time.", BAD, (4, 4)),
        stat("Unreadable connections", blind_share(), "percentunit",
             "Share of the connections that carry something else than HTTP/1.x.", size=(4, 4)),
        stat("Unmatched messages", unmatched_share(), "percentunit",
             "Requests and responses whose counterpart was missed, for each one that was counted.",
             size=(4, 4)),
        stat("Smallest share watched", f"min({gauge('vethscope_sampling_ratio')})", "percentunit",
             "Of the connections, where the agent has too much to do.", GOOD_WHEN_ONE, (4, 4)),
        table("Agents", [
            ("Interfaces", f"sum by (instance) ({gauge('vethscope_capture_interfaces')})", "short"),
            ("Packets", f"sum by (instance) ({rate('vethscope_capture_packets_total')})", "pps"),
            ("Dropped", f"sum by (instance) ({rate('vethscope_capture_dropped_packets_total')})",
             "pps"),
            ("Connections", f"sum by (instance) ({gauge('vethscope_flows')})", "short"),
            ("Series", f"sum by (instance) ({gauge('vethscope_series')})", "short"),
            ("Memory", f"sum by (instance) ({gauge('process_resident_memory_bytes')} "
                       f"and on (instance, job) {BUILD})", "bytes"),
            ("CPU", f"sum by (instance) ({rate('process_cpu_seconds_total')} "
                    f"and on (instance, job) {BUILD})", "short"),
        ], keys=(("instance", "Agent"),), sort="Packets", size=(24, 8)),
    ]


def seen():
    by_protocol = f"sum by (protocol) ({rate('vethscope_blind_connections_total')})"
    by_reason = f"sum by (reason) ({rate('vethscope_unmatched_messages_total')})"
    unnamed = f"sum by (reason) ({rate('vethscope_unnamed_exchanges_total')})"
    return [
        row("What it sees, and what it misses"),
        graph("Packets", [query(rate("vethscope_capture_packets_total"), LEGEND)], "pps"),
        graph("Packets dropped", [
            query(rate("vethscope_capture_dropped_packets_total"), LEGEND)], "pps",
              "The ring was full: capture.ring_size, capture.workers."),
        graph("Unreadable connections", [query(with_none(by_protocol, "protocol"),
                                               "{{protocol}}")], "cps", stacked=True),
        graph("Unmatched messages", [query(with_none(by_reason, "reason"), "{{reason}}")], "mps",
              "midstream right after a start is normal; gap means lost packets.", stacked=True),
        graph("Missed bytes", [
            query(f"{total('vethscope_missed_bytes_total')} or vector(0)", "bytes")], "Bps"),
        graph("Exchanges without a name", [query(with_none(unnamed, "reason"), "{{reason}}")],
              "reqps"),
        graph("Names in step with the API server", [
            query(with_none(f"min by (kind) ({gauge('vethscope_kube_synced')})", "kind"),
                  "{{kind}}")], "short", "0: what is new has no name. \"none\": nobody is asked."),
        graph("Failed requests to the API server", [
            query(with_none(f"sum by (kind) ({rate('vethscope_kube_failures_total')})", "kind"),
                  "{{kind}}")], "reqps"),
    ]


def cost():
    here = f"and on (instance, job) {BUILD}"
    return [
        row("What it costs"),
        graph("Resident memory", [
            query(f"{gauge('process_resident_memory_bytes')} {here}", LEGEND)], "bytes"),
        graph("CPU", [query(f"{rate('process_cpu_seconds_total')} {here}", LEGEND)], "short",
              "CPUs."),
        graph("Memory of the tables", [query(gauge("vethscope_memory_bytes"), LEGEND)], "bytes",
              "Connections, segments and requests; sized by memory.limit at the start."),
        graph("Connections", [
            query(f"sum({gauge('vethscope_flows')})", "open"),
            query(total("vethscope_flows_evicted_total"), "evicted a second")], "short"),
        graph("Series", [
            query(f"sum({gauge('vethscope_series')})", "lines"),
            query(total("vethscope_series_rejected_total"), "rejected a second")], "short",
              "metrics.max_series bounds them on each agent."),
        graph("Scrapes", [
            query(f"sum by (format) ({rate('vethscope_scrape_busy_seconds_total')}) / "
                  f"sum by (format) ({rate('vethscope_scrapes_total')} > 0)", "{{format}}")], "s",
              "Time that one takes."),
    ]


def delivery():
    lost = f"sum by (exporter, reason) ({rate('vethscope_events_dropped_total')})"
    sent = f"sum by (exporter) ({rate('vethscope_exporter_sent_total')})"
    failed = f"sum by (exporter) ({rate('vethscope_exporter_failed_total')})"
    queued = f"sum by (exporter) ({gauge('vethscope_exporter_queue_bytes')})"
    return [
        row("Delivery of events, spans and metrics"),
        graph("Delivered", [query(with_none(sent, "exporter"), "{{exporter}}")], "cps"),
        graph("Lost", [query(with_none(lost, "exporter"), "{{exporter}} {{reason}}")], "cps"),
        graph("Waiting", [query(with_none(queued, "exporter"), "{{exporter}}")], "bytes"),
        graph("Failed attempts", [query(with_none(failed, "exporter"), "{{exporter}}")], "cps"),
    ]


def dashboard():
    return page("vethscope-observer", "vethscope / Agents",
                "vethscope itself: coverage, losses, memory, names, delivery.",
                [variable("instance", "Agent", f"label_values({BUILD}, instance)")],
                [*overview(), *seen(), *cost(), *delivery()])
