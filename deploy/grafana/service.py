"""One service: its routes, its phases, who asks it and whom it asks."""

from panels import (GREEN, ORANGE, RED, graph, heatmap, page, query, row, stat, table, thresholds,
                    variable)

NAME = "service"
COUNT = "http_server_request_duration_seconds_count"
BUCKET = "http_server_request_duration_seconds_bucket"
CLIENT_COUNT = "http_client_request_duration_seconds_count"
CLIENT_BUCKET = "http_client_request_duration_seconds_bucket"
PHASE = "vethscope_http_phase_duration_seconds"
FAILED = 'error_type!~"|client_closed"'
HERE = 'service_namespace=~"$namespace", service_name=~"$service"'
EDGE_IN = 'server_service_namespace=~"$namespace", server=~"$service"'
ANSWERED = 'http_response_status_code!=""'
RANGE = "[$__rate_interval]"
ROUTE = "http_request_method, http_route"
CALLED = "server_address, server_port"
SHARE = thresholds((None, GREEN), (0.001, ORANGE), (0.01, RED))


def rate(family, selector=HERE):
    return f"rate({family}{{{selector}}}{RANGE})"


def or_zero(expression):
    """Where nothing of the kind was ever counted, nothing happened."""
    return f"({expression}) or vector(0)"


def total(family, by="", selector=HERE):
    return f"sum by ({by}) ({rate(family, selector)})" if by else f"sum({rate(family, selector)})"


def failures(by, family=COUNT):
    failed = total(family, by, f"{HERE}, {FAILED}")
    return f"({failed} or 0 * {total(family, by)})"


def quantile(share, by="", family=BUCKET):
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {total(family, grouped, f'{HERE}, {ANSWERED}')})"


def status_classes():
    """1xx to 5xx by the first digit, what got no status as such."""
    return ("sum by (class) (label_replace(label_replace("
            f'{rate(COUNT)}, "class", "no status", "", ""), "class", "${{1}}xx", '
            '"http_response_status_code", "(.).."))')


def mean_phase(phase):
    selector = f'{HERE}, side="server", phase="{phase}"'
    return f"{total(PHASE + '_sum', '', selector)} / {total(PHASE + '_count', '', selector)}"


def overview():
    return [
        stat("Requests a second", or_zero(total(COUNT)), "reqps"),
        stat("Failed", f"(sum({failures('service_name')}) / {total(COUNT)}) or vector(0)",
             "percentunit", "5xx, or no whole response; not where the client went away.", SHARE),
        stat("95 % answered within", quantile(0.95), "s"),
        stat("Open requests", or_zero(f"sum(http_server_active_requests{{{HERE}}})")),
        graph("Requests by status", [query(status_classes(), "{{class}}")], "reqps", stacked=True),
        graph("What went wrong", [
            query(f'{total(COUNT, "error_type", HERE + ", error_type!=" + chr(34) * 2)} '
                  f"or label_replace(vector(0), {chr(34)}error_type{chr(34)}, "
                  f"{chr(34)}none{chr(34)}, {chr(34) * 2}, {chr(34) * 2})", "{{error_type}}")],
              "reqps", "By error type: what broke the request off, else its status.",
              stacked=True),
        graph("Answered within", [
            query(quantile(0.5), "median"), query(quantile(0.95), "95 %"),
            query(quantile(0.99), "99 %")], "s"),
        heatmap("Durations", total(BUCKET, "le", f"{HERE}, {ANSWERED}")),
    ]


def phases():
    return [
        row("Where the time goes"),
        graph("Phases, mean", [
            query(mean_phase("request"), "request: its first to its last byte"),
            query(mean_phase("server"), "server: to the first byte of the response"),
            query(mean_phase("response"), "response: to its last byte")], "s",
              "A long request or response is the network's or the client's, the rest is the "
              "service's.", stacked=True),
        graph("Phases, 95 %", [
            query("histogram_quantile(0.95, "
                  + total(f"{PHASE}_bucket", "le, phase", f'{HERE}, side="server"') + ")",
                  "{{phase}}")], "s"),
        graph("Connecting, 95 %", [
            query("histogram_quantile(0.95, " + total(
                "vethscope_tcp_connect_duration_seconds_bucket", "le, part",
                f'{HERE}, side="server"') + ")", "{{part}}")], "s",
              "server: from the SYN to the SYN-ACK; client: from there to the ACK."),
        graph("Connections", [
            query(or_zero(total("vethscope_tcp_connections_total", "", f'{HERE}, side="server"')),
                  "opened"),
            query(or_zero(total("vethscope_tcp_connect_failures_total", "",
                                f'{HERE}, side="server"')), "refused or never answered")], "cps"),
    ]


def routes():
    return [
        row("Routes"),
        table("Routes", [
            ("Requests", total(COUNT, ROUTE), "reqps"),
            ("Failed", f"{failures(ROUTE)} / {total(COUNT, ROUTE)}", "percentunit"),
            ("Median", quantile(0.5, ROUTE), "s"),
            ("95 %", quantile(0.95, ROUTE), "s"),
            ("99 %", quantile(0.99, ROUTE), "s")],
              keys=(("http_request_method", "Method"), ("http_route", "Route")), sort="Requests"),
        graph("Requests by route",
              [query(total(COUNT, ROUTE), "{{http_request_method}} {{http_route}}")], "reqps"),
        graph("95 % answered within, by route",
              [query(quantile(0.95, ROUTE), "{{http_request_method}} {{http_route}}")], "s"),
    ]


def neighbours():
    edge = "client_service_namespace, client"
    requests = total("traces_service_graph_request_total", edge, EDGE_IN)
    failed = total("traces_service_graph_request_failed_total", edge, EDGE_IN)
    return [
        row("Who asks it, whom it asks"),
        table("Asked by", [
            ("Requests", requests, "reqps"),
            ("Failed", f"({failed} or 0 * {requests}) / {requests}", "percentunit")],
              keys=(("client_service_namespace", "Namespace"), ("client", "Client")),
              sort="Requests", size=(12, 8)),
        table("Asks", [
            ("Requests", or_none(total(CLIENT_COUNT, CALLED)), "reqps"),
            ("Failed", or_none(f"{failures(CALLED, CLIENT_COUNT)} / {total(CLIENT_COUNT, CALLED)}"),
             "percentunit"),
            ("95 %", or_none(quantile(0.95, CALLED, CLIENT_BUCKET)), "s")],
              "As this service sees them, the network included.",
              keys=(("server_address", "Service"), ("server_port", "Port")), sort="Requests",
              size=(12, 8)),
    ]


def or_none(expression):
    """A service that asks nobody has a row that says so."""
    nobody = 'label_replace(vector(0), "server_address", "nobody", "", "")'
    return f'({expression}) or label_replace({nobody}, "server_port", "-", "", "")'


def unseen():
    by_reason = total("vethscope_unmatched_messages_total", "reason")
    by_protocol = total("vethscope_blind_connections_total", "protocol")
    return [
        row("What is missing in these numbers"),
        graph("Unmatched messages", [
            query(f'{by_reason} or label_replace(vector(0), "reason", "none", "", "")',
                  "{{reason}}")], "mps", "Their counterpart was missed.", size=(8, 7)),
        graph("Unreadable connections", [
            query(f'{by_protocol} or label_replace(vector(0), "protocol", "none", "", "")',
                  "{{protocol}}")], "cps", "They carry something else than HTTP/1.x.", size=(8, 7)),
        graph("Missed bytes", [query(or_zero(total("vethscope_missed_bytes_total")), "bytes")],
              "Bps", size=(8, 7)),
    ]


def dashboard():
    variables = [
        variable("namespace", "Namespace", f"label_values({COUNT}, service_namespace)"),
        variable("service", "Service", f'label_values({COUNT}{{service_namespace=~"$namespace"}}, '
                                       "service_name)", many=False)]
    return page("vethscope-service", "vethscope / Service",
                "One HTTP service: routes, phases, neighbours, and what was not seen of it.",
                variables, [*overview(), *phases(), *routes(), *neighbours(), *unseen()])
