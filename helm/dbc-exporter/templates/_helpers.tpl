{{- define "dbc-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dbc-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dbc-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "dbc-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dbc-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The chart's own labels come last and win: selectors depend on them. */}}
{{- define "dbc-exporter.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" (.Values.image.tag | default .Chart.AppVersion | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/component" "exporter"
      "app.kubernetes.io/part-of" (include "dbc-exporter.name" .)
      "app.kubernetes.io/managed-by" .Release.Service }}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $own (fromYaml (include "dbc-exporter.selectorLabels" .))) }}
{{- end }}

{{/* metadata of an object: (dict "root" $ "name" … "namespace" … "labels" … "annotations" …), all but root optional */}}
{{- define "dbc-exporter.metadata" -}}
name: {{ .name | default (include "dbc-exporter.fullname" .root) }}
namespace: {{ .namespace | default (include "dbc-exporter.namespace" .root) }}
labels:
  {{- toYaml (merge (fromYaml (include "dbc-exporter.labels" .root)) (.labels | default dict)) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "dbc-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "dbc-exporter.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "dbc-exporter.image" -}}
{{- $image := .Values.image }}
{{- $repository := required "image.repository is empty: no public image exists yet, so build one from the Dockerfile and name it here" $image.repository }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "dbc-exporter.killConfigMap" -}}
{{- .Values.remediation.killConfigMap | default (printf "%s-kill" (include "dbc-exporter.fullname" .)) }}
{{- end }}

{{- define "dbc-exporter.claim" -}}
{{- .Values.persistence.existingClaim | default (include "dbc-exporter.fullname" .) }}
{{- end }}

{{- define "dbc-exporter.claimSpec" -}}
accessModes:
  {{- toYaml .accessModes | nindent 2 }}
{{- with .storageClass }}
storageClassName: {{ ternary "" . (eq . "-") | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end }}

{{/* Not empty where there are several shards. */}}
{{- define "dbc-exporter.sharded" -}}
{{- if gt (int .Values.shards) 1 }}yes{{ end }}
{{- end }}

{{/* Kubernetes puts eleven characters behind a StatefulSet's name in a label. */}}
{{- define "dbc-exporter.workload" -}}
{{- include "dbc-exporter.fullname" . | trunc (ternary 52 63 (not (empty (include "dbc-exporter.sharded" .)))) | trimSuffix "-" }}
{{- end }}

{{/* Shards have a headless Service of another name, because a Service cannot become headless. */}}
{{- define "dbc-exporter.service" -}}
{{- if include "dbc-exporter.sharded" . }}
{{- printf "%s-shards" (include "dbc-exporter.fullname" . | trunc 56 | trimSuffix "-") }}
{{- else }}
{{- include "dbc-exporter.fullname" . }}
{{- end }}
{{- end }}
