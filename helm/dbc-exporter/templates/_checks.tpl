{{/* What no schema can tell. Each message says what to do. */}}
{{- define "dbc-exporter.checks" -}}
{{- if gt (int .Values.replicaCount) 1 }}
{{- fail (printf "replicaCount is %d: one DBC client belongs to one exporter, so only 1 (or 0) works; for more, see shards" (int .Values.replicaCount)) }}
{{- end }}
{{- if not (or .Values.config.clients .Values.extraEnv .Values.extraEnvFrom .Values.extraArgs) }}
{{- fail "config.clients is empty: name at least one DBC client" }}
{{- end }}
{{- if include "dbc-exporter.sharded" . }}{{ include "dbc-exporter.checkShards" . }}{{ end }}
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

{{/* Two shards must share no DBC client, no claim and no remediation. */}}
{{- define "dbc-exporter.checkShards" -}}
{{- $total := int .Values.shards }}
{{- $urls := dict }}
{{- $served := dict }}
{{- range $index, $client := .Values.config.clients }}
{{- if not (hasKey $client "shard") }}
{{- fail (printf "config.clients[%d] has no shard: each DBC client belongs to one of the %d shards" $index $total) }}
{{- end }}
{{- if ge (int $client.shard) $total }}
{{- fail (printf "config.clients[%d].shard is %d: shards are numbered 0 to %d" $index (int $client.shard) (sub $total 1)) }}
{{- end }}
{{- $url := trimSuffix "/" $client.url }}
{{- if hasKey $urls $url }}
{{- fail (printf "config.clients[%d].url is that of another client too: two shards must not share one" $index) }}
{{- end }}
{{- $_ := set $urls $url true }}
{{- $_ := set $served (toString (int $client.shard)) true }}
{{- end }}
{{- range $number := until $total }}
{{- if and $.Values.config.clients (not (hasKey $served (toString $number))) }}
{{- fail (printf "shard %d has no DBC client: name one in config.clients with `shard: %d`" $number $number) }}
{{- end }}
{{- end }}
{{- if has (.Values.remediation.policy.mode | default "dry_run") (list "approve" "act") }}
{{- fail (printf "remediation.policy.mode is %s: several shards cannot keep one budget, so with shards only dry_run works" .Values.remediation.policy.mode) }}
{{- end }}
{{- if .Values.persistence.existingClaim }}
{{- fail "persistence.existingClaim cannot serve several shards: leave it empty, and each gets a claim of its own" }}
{{- end }}
{{- if ne .Values.service.type "ClusterIP" }}
{{- fail (printf "service.type is %s: shards are scraped one by one, so only ClusterIP works" .Values.service.type) }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if or (hasPrefix "--shard" .) (hasPrefix "--total-shards" .) }}
{{- fail (printf "extraArgs: %s is the chart's to say, by shards" .) }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if has (upper .name) (list "DBC_EXPORTER_SHARD" "DBC_EXPORTER_TOTAL_SHARDS") }}
{{- fail (printf "extraEnv: %s is the chart's to say, by shards" .name) }}
{{- end }}
{{- end }}
{{- if semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version }}
{{- fail "shards need Kubernetes 1.28, which tells each pod its number" }}
{{- end }}
{{- end }}
