"""Who calls whom."""

from panels import node_graph, page, table, variable

NAME = "service-map"
REQUESTS = "traces_service_graph_request_total"
FAILED = "traces_service_graph_request_failed_total"
HERE = ('client_service_namespace=~"$namespace|", server_service_namespace=~"$namespace|"')
EDGE = "client_service_namespace, client, server_service_namespace, server"
KEYS = (("client_service_namespace", "From namespace"), ("client", "From"),
        ("server_service_namespace", "To namespace"), ("server", "To"))


def rate(family):
    return f"sum by ({EDGE}) (rate({family}{{{HERE}}}[$__rate_interval]))"


def failures():
    return f"({rate(FAILED)} or 0 * {rate(REQUESTS)})"


def mean(side):
    family = f"traces_service_graph_request_{side}_seconds"
    return f"{rate(family + '_sum')} / {rate(family + '_count')}"


def edges(expression):
    """The labels that Grafana's graph reads: names with their namespaces, and both as one."""
    ends = (f'label_join(label_join({expression}, "source", "/", "client_service_namespace", '
            '"client"), "target", "/", "server_service_namespace", "server")')
    return f'sum by (id, source, target) (label_join({ends}, "id", " > ", "source", "target"))'


def dashboard():
    panels = [
        node_graph("Who calls whom", [edges(rate(REQUESTS)), edges(failures())],
                   ("mainstat", "secondarystat"),
                   "Requests and failures a second; in a node, of all that ask it."),
        table("Calls", [
            ("Requests", rate(REQUESTS), "reqps"),
            ("Failed", f"{failures()} / {rate(REQUESTS)}", "percentunit"),
            ("Mean at the server", mean("server"), "s"),
            ("Mean at the client", mean("client"), "s")],
              "What the client's mean is above the server's, the network and the queue in front of "
              "the server add.", keys=KEYS, sort="Requests"),
    ]
    return page("vethscope-service-map", "vethscope / Service map",
                "The services and what passes between them.",
                [variable("namespace", "Namespace",
                          f"label_values({REQUESTS}, server_service_namespace)")], panels)
