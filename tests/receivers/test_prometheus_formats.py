#!/usr/bin/env python3
"""Every format says the same, to readers that are not ours: promtool reads the text, Python's
prometheus_client the OpenMetrics, and Python's protobuf the messages with the published .proto."""

import collections
import math
import subprocess

from scrapes import FAMILY, abandon, compiled, fetch, messages, plain, plan, send
# Scrapes has put the folder of these on the path.
import prometheus_text
from checks import Checks
from lab import Lab, run

from prometheus_client.openmetrics.parser import text_string_to_metric_families

REQUESTS = 120
ABANDONED = 2
CONFIG = "metrics: {created_lines: true, body_sizes: true, native_schema: 3}\n"
# Families that no request and no scrape changes: the three scrapes have to agree on them.
STILL = ("http_", "traces_", "vethscope_http_", "vethscope_tcp_", "vethscope_unmatched")


def is_still(name):
    return name.startswith(STILL) and "active" not in name


def samples_of_text(metrics):
    return {(name, tuple(sorted(canonical(labels).items()))): value
            for name, labels, value in metrics.samples if is_still(name)}


def canonical(labels):
    """Bounds are spelled in several ways."""
    return {key: str(float(value)) if key == "le" else value for key, value in labels.items()}


def samples_of_openmetrics(families):
    return {(sample.name, tuple(sorted(canonical(sample.labels).items()))): sample.value
            for family in families for sample in family.samples
            if is_still(sample.name) and not sample.name.endswith("_created")}


def samples_of_protobuf(families):
    found = {}
    for family in families:
        if not is_still(family.name):
            continue
        for metric in family.metric:
            labels = {label.name: label.value for label in metric.label}

            def put(suffix, value, family=family, labels=labels, **more):
                key = tuple(sorted({**labels, **more}.items()))
                found[family.name + suffix, key] = value
            if metric.HasField("histogram"):
                histogram = metric.histogram
                for bucket in histogram.bucket:
                    put("_bucket", bucket.cumulative_count, le=str(bucket.upper_bound))
                put("_count", histogram.sample_count)
                put("_sum", histogram.sample_sum)
            else:
                put("", metric.counter.value or metric.gauge.value)
    return found


def check_native(checks, families):
    """The exponential buckets add up to the classic count, bound for bound where they share one."""
    for family in families:
        for metric in family.metric:
            if not metric.HasField("histogram"):
                continue
            histogram = metric.histogram
            buckets, index, count, deltas = {}, 0, 0, iter(histogram.positive_delta)
            for span in histogram.positive_span:
                index += span.offset
                for _ in range(span.length):
                    count += next(deltas)
                    buckets[index] = count
                    index += 1
            checks.equal(f"{family.name}: all deltas are used", next(deltas, None), None)
            checks.equal(f"{family.name}: buckets and count",
                         sum(buckets.values()) + histogram.zero_count, histogram.sample_count)
            check_shared_bounds(checks, family, histogram, buckets)


def check_shared_bounds(checks, family, histogram, buckets):
    """Powers of two are bounds of every schema."""
    for bucket in histogram.bucket:
        exponent = math.log2(bucket.upper_bound)
        if bucket.upper_bound == math.inf or exponent != int(exponent):
            continue
        limit = int(exponent) * 2 ** histogram.schema
        below = sum(count for index, count in buckets.items() if index <= limit)
        checks.equal(f"{family.name}: up to {bucket.upper_bound}", below + histogram.zero_count,
                     bucket.cumulative_count)


def check_openmetrics(checks, families):
    kinds = {family.name: (family.type, family.unit) for family in families}
    checks.equal("type and unit", kinds[FAMILY], ("histogram", "seconds"))
    checks.equal("a counter's", kinds["vethscope_missed_bytes"], ("counter", "bytes"))
    created = [sample for family in families for sample in family.samples
               if sample.name == f"{FAMILY}_created"]
    checks.true("_created lines", len(created) > 0 and all(s.value > 1.7e9 for s in created), created)
    exemplars = [sample.exemplar for family in families for sample in family.samples
                 if sample.exemplar is not None]
    checks.true("exemplars", len(exemplars) > 3)
    for exemplar in exemplars:
        checks.true("a trace id", len(exemplar.labels["trace_id"]) == 32, exemplar)


def check_same(checks, what, got, wanted):
    if checks.equal(f"{what}: samples", set(got) ^ set(wanted), set()):
        differing = {key: (got[key], wanted[key]) for key in wanted if got[key] != wanted[key]}
        checks.equal(f"{what}: values", differing, {})
    print(f"{what}: {len(got)} samples, the same as in text")


def main():
    with Checks() as checks, Lab("formats") as lab:
        server, client = lab.pod("server"), lab.pod("client")
        lab.backend(server)
        agent = lab.agent(config=CONFIG)
        send(client, server.address, plan(REQUESTS))
        abandon(client, server.address, ABANDONED)
        agent.settled(f"{FAMILY}_count", REQUESTS + ABANDONED)
        scraped = {}
        for kind in ("text", "openmetrics", "protobuf"):
            headers, scraped[kind] = fetch(agent, kind)
            checks.equal(f"{kind}: not compressed", headers["Content-Encoding"], None)
            checks.equal(f"{kind}: length", int(headers["Content-Length"]), len(scraped[kind]))
            headers, body = fetch(agent, kind, "gzip")
            checks.equal(f"{kind}: gzip", headers["Content-Encoding"], "gzip")
            checks.true(f"{kind}: gzip is smaller", len(body) * 2 < len(plain(headers, body)))
            headers, body = fetch(agent, kind, method="HEAD")
            checks.true(f"{kind}: HEAD", body == b"" and int(headers["Content-Length"]) > 1000)
        done = subprocess.run(["promtool", "check", "metrics"], input=scraped["text"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        checks.equal("promtool", (done.returncode, done.stdout), (0, b""))
        wanted = samples_of_text(prometheus_text.parse(scraped["text"].decode()))
        openmetrics = list(text_string_to_metric_families(scraped["openmetrics"].decode()))
        check_openmetrics(checks, openmetrics)
        check_same(checks, "openmetrics", samples_of_openmetrics(openmetrics), wanted)
        module = compiled(lab.directory, "io/prometheus/client/metrics.proto")
        protobuf = messages(module.MetricFamily, scraped["protobuf"])
        checks.equal("families once", max(collections.Counter(f.name for f in protobuf).values()), 1)
        check_same(checks, "protobuf", samples_of_protobuf(protobuf), wanted)
        check_native(checks, protobuf)
        schemas = {metric.histogram.schema for family in protobuf for metric in family.metric
                   if family.name == FAMILY}
        checks.equal("the configured schema", schemas, {3})


if __name__ == "__main__":
    run(main)
