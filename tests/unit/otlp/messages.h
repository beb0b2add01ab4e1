#pragma once

#include "exporters/byte_writer.h"
#include "exporters/proto/opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "exporters/proto/opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"

/* What protoc's generated code reads of what we write; its names, short enough to be read. */
typedef Opentelemetry__Proto__Common__V1__AnyValue otlp_any_value;
typedef Opentelemetry__Proto__Common__V1__KeyValue otlp_key_value;
typedef Opentelemetry__Proto__Resource__V1__Resource otlp_resource_message;
typedef Opentelemetry__Proto__Metrics__V1__Metric otlp_metric;
typedef Opentelemetry__Proto__Metrics__V1__HistogramDataPoint otlp_histogram_point;
typedef Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint otlp_exponential_point;
typedef Opentelemetry__Proto__Trace__V1__Span otlp_span_message;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest trace_request;
