"""All services: rate, errors, duration."""

from panels import GREEN, ORANGE, RED, graph, linked, page, query, stat, table, thresholds, variable

NAME = "services"
COUNT = "http_server_request_duration_seconds_count"
BUCKET = "http_server_request_duration_seconds_bucket"
BY = "service_namespace, service_name"
# What failed: a 5xx or no whole response, but not where the client went away; as in the alerts.
FAILED = 'error_type!~"|client_closed"'
HERE = 'service_namespace=~"$namespace"'
LEGEND = "{{service_namespace}}/{{service_name}}"
SHARE = thresholds((None, GREEN), (0.001, ORANGE), (0.01, RED))


def requests(by):
    return f"sum by ({by}) (rate({COUNT}{{{HERE}}}[$__rate_interval]))"


def failures(by):
    return (f"(sum by ({by}) (rate({COUNT}{{{HERE}, {FAILED}}}[$__rate_interval]))"
            f" or 0 * {requests(by)})")


def quantile(share, by=""):
    grouped = f"le, {by}" if by else "le"
    return (f"histogram_quantile({share}, sum by ({grouped}) (rate({BUCKET}{{{HERE}, "
            'http_response_status_code!=""}[$__rate_interval])))')


def _panels():
    overview = table(
        "Services", [
            ("Requests", requests(BY), "reqps"),
            ("Failed", f"{failures(BY)} / {requests(BY)}", "percentunit"),
            ("Median", quantile(0.5, BY), "s"),
            ("95 %", quantile(0.95, BY), "s"),
            ("99 %", quantile(0.99, BY), "s"),
            ("Open", f"sum by ({BY}) (http_server_active_requests{{{HERE}}})", "short"),
        ],
        "As seen at the link of the pod that was asked. Durations of what was answered.",
        keys=(("service_namespace", "Namespace"), ("service_name", "Service")), sort="Requests")
    linked(overview, "Service", "In detail",
           "/d/vethscope-service?${__url_time_range}&var-datasource=${datasource}"
           "&var-namespace=${__data.fields.Namespace}&var-service=${__data.fields.Service}")
    return [
        stat("Requests a second", f"sum(rate({COUNT}{{{HERE}}}[$__rate_interval])) or vector(0)",
             "reqps"),
        stat("Failed", f"sum({failures(BY)}) / sum({requests(BY)})", "percentunit",
             "5xx, or no whole response; not where the client went away.", SHARE),
        stat("95 % answered within", quantile(0.95), "s"),
        stat("Services", f"count(count by ({BY}) ({COUNT}{{{HERE}}})) or vector(0)"),
        overview,
        graph("Requests", [query(requests(BY), LEGEND)], "reqps"),
        graph("Failed", [query(f"{failures(BY)} / {requests(BY)}", LEGEND)], "percentunit",
              "Share of the requests that got a 5xx or no whole response."),
        graph("95 % answered within", [query(quantile(0.95, BY), LEGEND)], "s",
              "From the first byte of the request to the last byte of the response."),
        graph("Open requests",
              [query(f"sum by ({BY}) (http_server_active_requests{{{HERE}}})", LEGEND)], "short",
              "Asked and not answered yet."),
    ]


def _variables():
    return [variable("namespace", "Namespace", f"label_values({COUNT}, service_namespace)")]


def dashboard():
    return page("vethscope-services", "vethscope / Services",
                "Rate, errors and duration of every HTTP service, measured from outside.",
                _variables(), _panels())
