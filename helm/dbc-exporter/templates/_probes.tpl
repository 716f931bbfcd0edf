{{/* With a web configuration a probe may need a password or a client certificate, which no manifest should hold. */}}
{{- define "dbc-exporter.probes" -}}
{{- $alive := dict "httpGet" (dict "path" (printf "%s/-/healthy" (include "dbc-exporter.prefix" .)) "port" "http") }}
{{- $ready := dict "httpGet" (dict "path" (printf "%s/-/ready" (include "dbc-exporter.prefix" .)) "port" "http") }}
{{- if .Values.webConfig.existingSecret }}
{{- $alive = dict "exec" (dict "command" (list "/opt/dbc-exporter/bin/dbc-exporter" "healthcheck" "--config.file=/etc/dbc-exporter/config/settings.yml")) }}
{{- $ready = dict "tcpSocket" (dict "port" "http") }}
{{- end }}
startupProbe:
  {{- toYaml (merge (deepCopy $alive) .Values.probes.startup) | nindent 2 }}
livenessProbe:
  {{- toYaml (merge (deepCopy $alive) .Values.probes.liveness) | nindent 2 }}
readinessProbe:
  {{- toYaml (merge $ready .Values.probes.readiness) | nindent 2 }}
{{- end }}
