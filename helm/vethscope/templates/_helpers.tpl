{{- define "vethscope.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "vethscope.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "vethscope.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Cluster-wide objects carry the namespace too, as two releases may have one name. */}}
{{- define "vethscope.clusterName" -}}
{{- $name := include "vethscope.fullname" . }}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" .Release.Namespace $name }}{{ end }}
{{- end }}

{{- define "vethscope.selector" -}}
app.kubernetes.io/name: {{ include "vethscope.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "vethscope.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "vethscope.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "vethscope.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "vethscope.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "vethscope.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Whether the agents ask the API server: then they need an account and its rights. */}}
{{- define "vethscope.asksServer" -}}
{{- $kubernetes := default dict .Values.config.kubernetes }}
{{- if ne (toString $kubernetes.enabled) "false" }}yes{{ end }}
{{- end }}

{{/* The program's file, of the configuration in the values: its port is said once, in `port`. */}}
{{- define "vethscope.configFile" -}}
{{- $metrics := merge (dict "listen" (printf ":%d" (int .root.Values.port))) (default dict .config.metrics) }}
{{- toYaml (merge (dict "metrics" $metrics) .config) }}
{{- end }}
