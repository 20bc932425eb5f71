{{- define "kiln.labels" -}}
app.kubernetes.io/name: kiln
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "kiln.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "kiln.address" -}}
http://{{ .Release.Name }}-api.{{ .Release.Namespace }}.svc:{{ .Values.api.service.port }}
{{- end }}

{{/* Environment of every process. */}}
{{- define "kiln.environment" -}}
{{- range list (list "KILN_DATABASE_URL" "database-url") (list "KILN_REDIS_URL" "redis-url") (list "KILN_STORES" "stores") (list "KILN_SECRET_KEY" "secret-key") }}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.secret }}
      key: {{ index . 1 }}
{{- end }}
{{- range $name, $key := .Values.secretSettings }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.secret }}
      key: {{ $key }}
{{- end }}
{{- end }}

{{/* What cached files may use of the API's volume: five sixths, since others are written beside them. */}}
{{- define "kiln.cacheBytes" -}}
{{- if not (hasSuffix "Gi" .Values.api.cacheSize) }}{{ fail "api.cacheSize must be in Gi" }}{{ end -}}
{{- div (mul (trimSuffix "Gi" .Values.api.cacheSize | int64) 1073741824 5) 6 -}}
{{- end }}

{{/* What holds for every pod of Kiln's own: an ordinary account, nothing writable but its volumes, no rights. */}}
{{- define "kiln.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "kiln.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Spreads the pods of one part over the nodes. */}}
{{- define "kiln.spread" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            app.kubernetes.io/instance: {{ .root.Release.Name }}
            app.kubernetes.io/component: {{ .part }}
{{- end }}
