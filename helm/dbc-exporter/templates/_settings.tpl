{{/* The settings file: `config`, and what the chart itself decides. */}}
{{- define "dbc-exporter.settings" -}}
{{- $settings := deepCopy .Values.config }}
{{- $web := $settings.web | default dict }}
{{- $_ := set $web "listen_address" (printf ":%d" (int .Values.containerPort)) }}
{{- if .Values.webConfig.existingSecret }}
{{- $_ := set $web "config_file" (printf "/etc/dbc-exporter/web/%s" .Values.webConfig.key) }}
{{- end }}
{{- $_ := set $settings "web" $web }}
{{- if include "dbc-exporter.sharded" . }}
{{- $_ := set $settings "total_shards" (int .Values.shards) }}
{{- end }}
{{- if .Values.targetFiles }}
{{- $targets := $settings.targets | default dict }}
{{- $_ := set $targets "files" (append ($targets.files | default list) "/etc/dbc-exporter/targets/*.yml") }}
{{- $_ := set $settings "targets" $targets }}
{{- end }}
{{- if .Values.persistence.enabled }}
{{- $_ := set $settings "storage" (dict "path" "/var/lib/dbc-exporter") }}
{{- end }}
{{- if .Values.remediation.policy }}
{{- $remediation := dict "policy_file" "/etc/dbc-exporter/config/policy.yml" "kill_file" "/etc/dbc-exporter/kill/kill" }}
{{- if .Values.remediation.webhookToken.existingSecret }}
{{- $_ := set $remediation "webhook_token_file" (printf "/etc/dbc-exporter/webhook/%s" .Values.remediation.webhookToken.key) }}
{{- end }}
{{- $_ := set $settings "remediation" $remediation }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- define "dbc-exporter.telemetryPath" -}}
{{- include "dbc-exporter.prefix" . }}{{ (.Values.config.web | default dict).telemetry_path | default "/metrics" }}
{{- end }}

{{/* The path before all others, as the exporter reckons it. */}}
{{- define "dbc-exporter.prefix" -}}
{{- $web := .Values.config.web | default dict }}
{{- $web.route_prefix | default (get (urlParse ($web.external_url | default "")) "path") | trimSuffix "/" }}
{{- end }}
