"""The parts that dashboards are made of."""

# The oldest Grafana whose features are used: transformations of one query, since 10.0.
GRAFANA = "10.0.0"
SCHEMA_VERSION = 38
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
# Of Grafana's palette.
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


def query(expression, legend="", instant=False, table=False, name="A"):
    return {"datasource": SOURCE, "refId": name, "expr": expression.strip(),
            "legendFormat": legend or "__auto", "instant": instant, "range": not instant,
            "format": "table" if table else "time_series", "editorMode": "code"}


def named(queries):
    """Their letters, in order."""
    return [{**item, "refId": "ABCDEFGHIJ"[i]} for i, item in enumerate(queries)]


def thresholds(*steps):
    """Of (value from which on, color); the first value is None."""
    return {"mode": "absolute", "steps": [{"value": at, "color": color} for at, color in steps]}


def _panel(kind, title, queries, unit, description, size):
    width, height = size
    return {"type": kind, "title": title, "description": description, "datasource": SOURCE,
            "targets": named(queries), "gridPos": {"w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []}, "options": {}}


def stat(title, expression, unit="short", description="", steps=None, size=(6, 4), instant=True):
    """One number."""
    panel = _panel("stat", title, [query(expression, instant=instant)], unit, description, size)
    panel["fieldConfig"]["defaults"]["thresholds"] = steps or thresholds((None, BLUE))
    panel["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                        "colorMode": "value", "graphMode": "none", "textMode": "value"}
    return panel


def graph(title, queries, unit="short", description="", size=(12, 8), stacked=False):
    """Lines over time."""
    panel = _panel("timeseries", title, queries, unit, description, size)
    panel["fieldConfig"]["defaults"].update({
        "min": 0,
        "custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if stacked else 0,
                   "showPoints": "never", "spanNulls": False,
                   "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}})
    panel["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                        "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel


def heatmap(title, expression, unit="s", description="", size=(12, 8)):
    """How many of which duration."""
    item = {**query(expression, "{{le}}"), "format": "heatmap"}
    panel = _panel("heatmap", title, [item], unit, description, size)
    panel["options"] = {"calculate": False, "cellGap": 1, "yAxis": {"unit": unit},
                        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
                        "tooltip": {"show": True, "yHistogram": False}, "legend": {"show": True}}
    return panel


def table(title, columns, description="", size=(WIDTH, 9), keys=(), sort=None):
    """One row for what all queries have in common. columns: (heading, expression, unit); keys:
    (label, heading) in their order."""
    queries = [query(expression, instant=True, table=True) for _, expression, _ in columns]
    panel = _panel("table", title, queries, "short", description, size)
    names = {label: heading for label, heading in keys}
    for item, (heading, _, unit) in zip(panel["targets"], columns):
        value = f"Value #{item['refId']}" if len(columns) > 1 else "Value"
        names[value] = heading
        panel["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byName", "options": heading},
             "properties": [{"id": "unit", "value": unit}, {"id": "decimals", "value": 2}]})
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names,
                                       "indexByName": {key: i for i, key in enumerate(names)}}}]
    panel["options"] = {"showHeader": True, "cellHeight": "sm",
                        "sortBy": [{"displayName": sort, "desc": True}] if sort else []}
    return panel


def linked(panel, heading, title, url):
    """The cells of a column lead somewhere."""
    panel["fieldConfig"]["overrides"].append(
        {"matcher": {"id": "byName", "options": heading},
         "properties": [{"id": "links", "value": [{"title": title, "url": url}]}]})
    return panel


def node_graph(title, queries, fields, description="", size=(WIDTH, 18)):
    """A graph of edges alone: Grafana makes the nodes of them. Labels id, source and target are the
    queries' own; fields are the names of their values."""
    items = [query(expression, instant=True, table=True) for expression in queries]
    panel = _panel("nodeGraph", title, items, "reqps", description, size)
    names = {f"Value #{item['refId']}": field for item, field in zip(panel["targets"], fields)}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names,
                                       "indexByName": {}}}]
    panel["options"] = {"edges": {"mainStatUnit": "req/s", "secondaryStatUnit": "failed/s"},
                        "nodes": {}}
    return panel


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"w": WIDTH, "h": 1}}


def placed(panels):
    """From left to right, and down: each has a number and a place."""
    left = top = height = 0
    for number, panel in enumerate(panels, 1):
        place = panel["gridPos"]
        if left + place["w"] > WIDTH or panel["type"] == "row":
            left, top, height = 0, top + height, 0
        place.update({"x": left, "y": top})
        left, height = left + place["w"], max(height, place["h"])
        panel["id"] = number
    return panels


def datasource_variable():
    return {"name": "datasource", "label": "Prometheus", "type": "datasource",
            "query": "prometheus", "current": {}, "hide": 0, "refresh": 1, "regex": "",
            "multi": False, "includeAll": False, "options": []}


def variable(name, label, expression, many=True):
    """A choice of a label's values; all of them at first."""
    choice = {"selected": True, "text": "All", "value": "$__all"} if many else {}
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE,
            "query": {"query": expression, "refId": name}, "definition": expression,
            "refresh": 2, "regex": "", "sort": 1, "multi": many, "includeAll": many,
            "allValue": ".*" if many else None, "current": choice, "hide": 0, "options": []}


def page(uid, title, description, variables, panels):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["vethscope"],
        "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": True, "graphTooltip": 1,
        "timezone": "", "refresh": "30s", "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["vethscope"], "title": "vethscope",
                   "asDropdown": True, "includeVars": True, "keepTime": True, "icon": "",
                   "targetBlank": False, "tooltip": "", "url": ""}],
        "__requires": [{"type": "grafana", "id": "grafana", "name": "Grafana", "version": GRAFANA}],
        "templating": {"list": [datasource_variable(), *variables]},
        "panels": placed(panels),
    }
