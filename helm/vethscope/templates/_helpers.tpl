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
{{- $config := default dict .Values.config }}
{{- $kubernetes := default dict $config.kubernetes }}
{{- if ne (toString $kubernetes.enabled) "false" }}yes{{ end }}
{{- end }}

{{/* The program's file, of the configuration in the values: its port is said once, in `port`. */}}
{{- define "vethscope.configFile" -}}
{{- $config := deepCopy (default dict .config) }}
{{- $metrics := default dict $config.metrics }}
{{- $_ := set $metrics "listen" (printf ":%d" (int .port)) }}
{{- $_ := set $config "metrics" $metrics }}
{{- toYaml $config }}
{{- end }}

{{/* A change of what this is made of rolls the pods: all of the file, as the program reads it when it
starts. Keys that it takes in while it runs are to be left out here. */}}
{{- define "vethscope.checksum" -}}
{{- include "vethscope.configFile" (dict "port" .Values.port "config" .Values.config) | sha256sum }}
{{- end }}

{{/* The sidecars' file: the sections of its own instead of the agents'. */}}
{{- define "vethscope.sidecarConfigFile" -}}
{{- $config := deepCopy (default dict .Values.config) }}
{{- range $section, $keys := .Values.sidecar.config }}
{{- $_ := set $config $section $keys }}
{{- end }}
{{- include "vethscope.configFile" (dict "port" .Values.port "config" $config) }}
{{- end }}

{{/* What a monitor says about its one port; the argument is the monitor's values. */}}
{{- define "vethscope.endpoint" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - action: replace
    sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A rule of the file, with what the values say about it. */}}
{{- define "vethscope.rule" -}}
{{- $rule := deepCopy .rule }}
{{- if $rule.alert }}
{{- if .values.runbookUrl }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s#%s" .values.runbookUrl (lower $rule.alert)) }}
{{- else }}
{{- $_ := unset $rule.annotations "runbook_url" }}
{{- end }}
{{- $_ := set $rule "labels" (merge (deepCopy .values.alertLabels) $rule.labels) }}
{{- else if eq $rule.record "vethscope:error_budget:ratio" }}
{{- $_ := set $rule "expr" (printf "vector(%v)" .values.errorBudget) }}
{{- else if eq $rule.record "vethscope:latency_objective:seconds" }}
{{- $_ := set $rule "expr" (printf "vector(%v)" .values.latencyObjective) }}
{{- end }}
{{- toYaml $rule }}
{{- end }}

{{- define "vethscope.sidecarLabel" -}}
vethscope.io/sidecar: "true"
{{- end }}

{{/* A JSON array, which is YAML too. */}}
{{- define "vethscope.sidecarNamespaces" -}}
{{- default (list .Release.Namespace) .Values.sidecar.namespaces | toJson }}
{{- end }}

{{/* A strategic merge patch for anything with a pod template. */}}
{{- define "vethscope.sidecarPatch" -}}
{{- $sidecar := .Values.sidecar -}}
spec:
  template:
    metadata:
      labels:
        {{- include "vethscope.sidecarLabel" . | nindent 8 }}
    spec:
      {{ if $sidecar.native }}initContainers{{ else }}containers{{ end }}:
        - name: vethscope
          {{- if $sidecar.native }}
          restartPolicy: Always
          {{- end }}
          image: {{ include "vethscope.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args:
            - run
            - --config=/etc/vethscope/vethscope.yaml
            {{- range $sidecar.interfaces }}
            - --interface={{ . }}
            {{- end }}
            - --name=$(POD_NAMESPACE)/$(SERVICE_NAME)
          env:
            - name: POD_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
            - name: SERVICE_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.labels['{{ $sidecar.serviceLabel }}']
          ports:
            # The pod may well have a port "metrics" of its own.
            - name: vethscope
              containerPort: {{ .Values.port }}
              protocol: TCP
          livenessProbe:
            httpGet:
              path: /healthz
              port: vethscope
            failureThreshold: 3
            periodSeconds: 10
            timeoutSeconds: 3
          {{- with $sidecar.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $sidecar.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            - name: vethscope-config
              mountPath: /etc/vethscope
              readOnly: true
      volumes:
        - name: vethscope-config
          configMap:
            name: {{ include "vethscope.fullname" . }}-sidecar
            items:
              - key: vethscope.yaml
                path: vethscope.yaml
{{- end }}
