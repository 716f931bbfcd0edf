{{- define "dbc-exporter.volumes" -}}
- name: config
  configMap:
    name: {{ include "dbc-exporter.fullname" . }}
{{- if .Values.targetFiles }}
- name: targets
  configMap:
    name: {{ include "dbc-exporter.fullname" . }}-targets
{{- end }}
{{- range $index, $name := .Values.secretMounts }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $name }}
    defaultMode: 0440
{{- end }}
{{- with .Values.webConfig.existingSecret }}
- name: web
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- if .Values.remediation.policy }}
- name: kill
  configMap:
    name: {{ include "dbc-exporter.killConfigMap" . }}
    optional: true
{{- with .Values.remediation.webhookToken.existingSecret }}
- name: webhook
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- if and .Values.persistence.enabled (not (include "dbc-exporter.sharded" .)) }}
- name: storage
  persistentVolumeClaim:
    claimName: {{ include "dbc-exporter.claim" . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dbc-exporter.volumeMounts" -}}
- {name: config, mountPath: /etc/dbc-exporter/config, readOnly: true}
{{- if .Values.targetFiles }}
- {name: targets, mountPath: /etc/dbc-exporter/targets, readOnly: true}
{{- end }}
{{- range $index, $name := .Values.secretMounts }}
- {name: secret-{{ $index }}, mountPath: /etc/dbc-exporter/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- if .Values.webConfig.existingSecret }}
- {name: web, mountPath: /etc/dbc-exporter/web, readOnly: true}
{{- end }}
{{- if .Values.remediation.policy }}
- {name: kill, mountPath: /etc/dbc-exporter/kill, readOnly: true}
{{- if .Values.remediation.webhookToken.existingSecret }}
- {name: webhook, mountPath: /etc/dbc-exporter/webhook, readOnly: true}
{{- end }}
{{- end }}
{{- if .Values.persistence.enabled }}
- {name: storage, mountPath: /var/lib/dbc-exporter}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
