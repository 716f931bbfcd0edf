{{/* What no schema can tell. Each message says what to do. */}}
{{- define "dbc-exporter.checks" -}}
{{- if gt (int .Values.replicaCount) 1 }}
{{- fail (printf "replicaCount is %d: one DBC client belongs to one exporter, so only 1 (or 0) works; for more, install the chart again with other clients" (int .Values.replicaCount)) }}
{{- end }}
{{- if not (or .Values.config.clients .Values.extraEnv .Values.extraEnvFrom .Values.extraArgs) }}
{{- fail "config.clients is empty: name at least one DBC client" }}
{{- end }}
{{- if and .Values.remediation.policy (not .Values.persistence.enabled) }}
{{- fail "remediation.policy needs persistence.enabled: without its journal nothing may be done" }}
{{- end }}
{{- if and .Values.remediation.webhookToken.existingSecret (not .Values.remediation.policy) }}
{{- fail "remediation.webhookToken does nothing without remediation.policy" }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.from) }}
{{- fail "networkPolicy.from is empty, which would let everybody in: name who may connect" }}
{{- end }}
{{- $plain := dict }}
{{- range .Values.extraEnv }}
{{- if hasKey . "value" }}{{ $_ := set $plain .name true }}{{ end }}
{{- end }}
{{- range $name := keys $plain }}
{{- if hasPrefix "DBC_EXPORTER_CREDENTIALS" (upper $name) }}
{{- fail (printf "extraEnv: %s may hold a secret: take it from a Secret, with valueFrom.secretKeyRef" $name) }}
{{- end }}
{{- end }}
{{- range $name, $credential := .Values.config.credentials }}
{{- range $owner := prepend ($credential.signers | default list) $credential }}
{{- range $key, $value := $owner }}
{{- if and (hasSuffix "_env" $key) (hasKey $plain $value) }}
{{- fail (printf "extraEnv: %s holds the secret of config.credentials.%s: take it from a Secret, with valueFrom.secretKeyRef" $value $name) }}
{{- end }}
{{- if and (hasSuffix "_file" $key) (hasPrefix "/etc/dbc-exporter/secrets/" $value) }}
{{- $secret := index (splitList "/" $value) 4 }}
{{- if not (has $secret $.Values.secretMounts) }}
{{- fail (printf "config.credentials.%s.%s is a file of Secret %s: add that to secretMounts" $name $key $secret) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
