"""What each value of the chart does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.helm.rendering import CHART, Manifest, Rendered, render, with_files

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
POLICY: dict[str, Any] = {"version": 1, "mode": "dry_run"}
REMEDIATING: dict[str, Any] = {"remediation": {"policy": POLICY}, "persistence": {"enabled": True}}


def leaves(tree: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if (
            isinstance(value, dict)
            and value
            and key not in ("podSecurityContext", "securityContext", "resources")
        ):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def under(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    tree: dict[str, Any] = value
    return tree


def on(part: str) -> dict[str, Any]:
    return {part: {"enabled": True}}


# for every value: another one, and what must be switched on for it to show
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "nameOverride": ("other", {}),
    "fullnameOverride": ("other", {}),
    "namespaceOverride": ("other", {}),
    "commonLabels": ({"team": "gpu"}, {}),
    "replicaCount": (0, {}),
    "shards": (
        2,
        {"config": {"clients": [{"url": "http://a:5050", "shard": 0}, {"url": "http://b:5050", "shard": 1}]}},
    ),
    "revisionHistoryLimit": (3, {}),
    "image.registry": ("registry.example:5000", {}),
    "image.repository": ("other", {}),
    "image.tag": ("v9", {}),
    "image.digest": ("sha256:" + "5e" * 32, {}),
    "image.pullPolicy": ("Never", {}),
    "imagePullSecrets": ([{"name": "registry"}], {}),
    "config.clients": ([{"url": "http://other:5050"}], {}),
    "targetFiles": ({"a.yml": [{"id": "5e" * 32}]}, {}),
    "secretMounts": (["keys"], {}),
    "webConfig.existingSecret": ("web", {}),
    "webConfig.key": ("w.yml", {"webConfig": {"existingSecret": "web"}}),
    "remediation.policy": (POLICY, on("persistence")),
    "remediation.webhookToken.existingSecret": ("token", REMEDIATING),
    "remediation.webhookToken.key": (
        "t",
        {**REMEDIATING, "remediation": {"policy": POLICY, "webhookToken": {"existingSecret": "t"}}},
    ),
    "remediation.killConfigMap": ("stop", REMEDIATING),
    "persistence.enabled": (True, {}),
    "persistence.existingClaim": ("mine", on("persistence")),
    "persistence.storageClass": ("fast", on("persistence")),
    "persistence.accessModes": (["ReadWriteOncePod"], on("persistence")),
    "persistence.size": ("2Gi", on("persistence")),
    "persistence.annotations": ({"helm.sh/resource-policy": "keep"}, on("persistence")),
    "persistence.labels": ({"backup": "daily"}, on("persistence")),
    "containerPort": (9177, {}),
    "extraArgs": (["--log.level=debug"], {}),
    "extraEnv": ([{"name": "TZ", "value": "UTC"}], {}),
    "extraEnvFrom": ([{"secretRef": {"name": "env"}}], {}),
    "extraVolumes": ([{"name": "ca", "configMap": {"name": "ca"}}], {}),
    "extraVolumeMounts": ([{"name": "ca", "mountPath": "/ca"}], {}),
    "extraContainers": ([{"name": "sidecar", "image": "x"}], {}),
    "terminationGracePeriodSeconds": (90, {}),
    "podAnnotations": ({"a": "b"}, {}),
    "podLabels": ({"a": "b"}, {}),
    "priorityClassName": ("high", {}),
    "nodeSelector": ({"a": "b"}, {}),
    "tolerations": ([{"operator": "Exists"}], {}),
    "affinity": ({"nodeAffinity": {}}, {}),
    "hostAliases": ([{"ip": "10.0.0.5", "hostnames": ["a"]}], {}),
    "resources": ({"limits": {"cpu": "1"}}, {}),
    "podSecurityContext": ({"runAsUser": 1000}, {}),
    "securityContext": ({"privileged": False}, {}),
    "serviceAccount.create": (False, {}),
    "serviceAccount.name": ("other", {}),
    "serviceAccount.annotations": ({"a": "b"}, {}),
    **{
        f"probes.{probe}.{key}": (99, {})
        for probe in ("startup", "liveness", "readiness")
        for key in ("periodSeconds", "timeoutSeconds", "failureThreshold")
    },
    "service.type": ("NodePort", {}),
    "service.port": (80, {}),
    "service.annotations": ({"a": "b"}, {}),
    "service.labels": ({"a": "b"}, {}),
    "networkPolicy.enabled": (True, {}),
    "networkPolicy.from": ([{"namespaceSelector": {}}], on("networkPolicy")),
    "networkPolicy.egress": ([{}], on("networkPolicy")),
    "serviceMonitor.enabled": (True, {}),
    "serviceMonitor.namespace": ("other", on("serviceMonitor")),
    "serviceMonitor.additionalLabels": ({"a": "b"}, on("serviceMonitor")),
    "serviceMonitor.annotations": ({"a": "b"}, on("serviceMonitor")),
    "serviceMonitor.interval": ("30s", on("serviceMonitor")),
    "serviceMonitor.scrapeTimeout": ("10s", on("serviceMonitor")),
    "serviceMonitor.scheme": ("https", on("serviceMonitor")),
    "serviceMonitor.tlsConfig": ({"serverName": "a"}, on("serviceMonitor")),
    "serviceMonitor.basicAuth": ({"username": {"name": "a", "key": "b"}}, on("serviceMonitor")),
    "serviceMonitor.relabelings": ([{"targetLabel": "a"}], on("serviceMonitor")),
    "serviceMonitor.metricRelabelings": ([{"targetLabel": "a"}], on("serviceMonitor")),
    "extraManifests": ([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}], {}),
}
OF_FILES = {
    leaf for leaf in leaves(DEFAULTS) if leaf.startswith(("prometheusRule.", "dashboards."))
}  # test_chart_files


def test_no_value_is_left_untried() -> None:
    assert set(CHANGES) | OF_FILES == set(leaves(DEFAULTS))


@pytest.mark.parametrize("path", CHANGES)
def test_each_value_changes_what_is_rendered(path: str) -> None:
    value, needed = CHANGES[path]
    assert render(needed, under(path, value)).manifests != render(needed).manifests


def test_by_default_there_is_nothing_but_the_exporter_and_its_service() -> None:
    kinds = sorted(manifest["kind"] for manifest in render().manifests)
    assert kinds == ["ConfigMap", "Deployment", "Service", "ServiceAccount"]


def test_an_upgrade_never_runs_two_at_once() -> None:
    deployment = render().one("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}


def test_the_pod_has_no_rights() -> None:
    rendered = render()
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.pod["securityContext"]["runAsNonRoot"] is True
    assert rendered.pod["securityContext"]["runAsUser"] > 0
    assert rendered.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert rendered.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(rendered.pod)


def test_a_request_to_a_dbc_client_may_end_before_the_pod_is_killed() -> None:
    assert render().pod["terminationGracePeriodSeconds"] > 40


def test_other_services_are_not_announced_as_our_settings() -> None:
    assert render().pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ({"repository": "x"}, "x:0.1.0"),
        ({"registry": "r.example:5000", "repository": "a/x", "tag": "v2"}, "r.example:5000/a/x:v2"),
        ({"repository": "x", "tag": "v2", "digest": "sha256:" + "5e" * 32}, "x@sha256:" + "5e" * 32),
    ],
)
def test_images_are_named_as_container_runtimes_do(image: dict[str, str], wanted: str) -> None:
    assert render({"image": image}).container["image"] == wanted


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"image": {"repository": ""}}, "image.repository is empty"),
    ({"config": {"clients": []}}, "config.clients is empty"),
    ({"remediation": {"policy": POLICY}}, "remediation.policy needs persistence.enabled"),
    ({"remediation": {"webhookToken": {"existingSecret": "t"}}}, "does nothing without remediation.policy"),
    ({"networkPolicy": {"enabled": True, "from": []}}, "networkPolicy.from is empty"),
    (
        {
            "config": {"credentials": {"me": {"type": "wallet", "seed_env": "SEED"}}},
            "extraEnv": [{"name": "SEED", "value": "5e"}],
        },
        "extraEnv: SEED holds the secret of config.credentials.me",
    ),
    (
        {
            "config": {
                "credentials": {
                    "us": {
                        "type": "multisig",
                        "wallets": ["5G"],
                        "threshold": 1,
                        "signers": [{"uri_env": "U"}],
                    }
                }
            },
            "extraEnv": [{"name": "U", "value": "//Alice"}],
        },
        "extraEnv: U holds the secret of config.credentials.us",
    ),
    (
        {"extraEnv": [{"name": "DBC_EXPORTER_CREDENTIALS__ME__SEED", "value": "5e"}]},
        "DBC_EXPORTER_CREDENTIALS__ME__SEED may hold a secret",
    ),
    (
        {
            "config": {
                "credentials": {"me": {"type": "wallet", "seed_file": "/etc/dbc-exporter/secrets/keys/seed"}}
            }
        },
        "config.credentials.me.seed_file is a file of Secret keys: add that to secretMounts",
    ),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_work_is_refused_with_the_remedy(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=re.escape(message)):
        render(values)


def test_more_than_one_replica_is_refused_even_without_the_schema(tmp_path: Path) -> None:
    chart = with_files(tmp_path, {})
    (chart / "values.schema.json").unlink()
    with pytest.raises(helm_python.HelmRenderError, match="one DBC client belongs to one exporter"):
        render({"replicaCount": 2}, chart=chart)


# -- several shards --------------------------------------------------------------------------------------------

A: dict[str, Any] = {"url": "http://10.0.0.5:5050", "shard": 0}
B: dict[str, Any] = {"url": "http://10.0.0.6:5050", "shard": 1}


def sharded(*clients: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"shards": 2, "config": {"clients": list(clients or (A, B))}, **values}


def test_each_pod_of_several_is_the_shard_of_its_number() -> None:
    rendered = render(sharded())
    assert rendered.all("Deployment") == []
    assert rendered.one("StatefulSet")["spec"]["replicas"] == 2
    assert rendered.settings["total_shards"] == 2
    (env,) = rendered.container["env"]
    assert env["name"] == "DBC_EXPORTER_SHARD"
    assert env["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"


def test_all_shards_can_be_stopped() -> None:
    assert render(sharded(replicaCount=0)).one("StatefulSet")["spec"]["replicas"] == 0


def test_each_shard_is_scraped_by_itself() -> None:
    rendered = render(sharded(serviceMonitor={"enabled": True}))
    service = rendered.one("Service")
    assert service["spec"]["clusterIP"] == "None"
    assert service["metadata"]["name"] == rendered.one("StatefulSet")["spec"]["serviceName"]
    assert service["metadata"]["name"] != render().one("Service")["metadata"]["name"]


def test_each_shard_has_a_claim_whose_labels_no_upgrade_changes() -> None:
    rendered = render(sharded(persistence={"enabled": True, "size": "2Gi", "labels": {"backup": "daily"}}))
    assert rendered.all("PersistentVolumeClaim") == []
    (claim,) = rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert claim["metadata"]["labels"] == {
        "app.kubernetes.io/name": "dbc-exporter",
        "app.kubernetes.io/instance": "dbc-exporter",
        "backup": "daily",
    }


SHARED: list[tuple[dict[str, Any], str]] = [
    (sharded(A, {"url": B["url"]}), "config.clients[1] has no shard"),
    (
        sharded(A, B, {**B, "shard": 2, "url": "http://c:1"}),
        "config.clients[2].shard is 2: shards are numbered 0 to 1",
    ),
    (sharded(A, {**A, "shard": 1}), "config.clients[1].url is that of another client too"),
    (sharded(A, {"url": f"{A['url']}/", "shard": 1}), "config.clients[1].url is that of another client too"),
    (sharded(B), "shard 0 has no DBC client"),
    (
        {**sharded(), **REMEDIATING, "remediation": {"policy": {**POLICY, "mode": "act"}}},
        "remediation.policy.mode is act",
    ),
    (
        {**sharded(), **REMEDIATING, "remediation": {"policy": {**POLICY, "mode": "approve"}}},
        "remediation.policy.mode is approve",
    ),
    (
        sharded(persistence={"enabled": True, "existingClaim": "mine"}),
        "persistence.existingClaim cannot serve several",
    ),
    (sharded(service={"type": "NodePort"}), "service.type is NodePort"),
    (sharded(extraArgs=["--shard=1"]), "extraArgs: --shard=1 is the chart's to say"),
    (
        sharded(extraEnv=[{"name": "DBC_EXPORTER_TOTAL_SHARDS", "value": "5"}]),
        "extraEnv: DBC_EXPORTER_TOTAL_SHARDS is the chart's to say",
    ),
]


@pytest.mark.parametrize(("values", "message"), SHARED, ids=[message for _, message in SHARED])
def test_shards_that_would_share_something_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=re.escape(message)):
        render(values)


def test_remediation_in_shards_may_say_what_it_would_do() -> None:
    assert render(sharded(), REMEDIATING).settings["remediation"]


def test_clients_may_come_from_the_environment() -> None:
    env = [{"name": "DBC_EXPORTER_CLIENTS", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]
    assert render({"config": {"clients": []}, "extraEnv": env}).container["env"] == env


def checksum(rendered: Rendered) -> str:
    sum_: str = rendered.one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    return sum_


def test_a_changed_setting_or_policy_restarts_the_pod_and_a_changed_target_file_does_not() -> None:
    assert checksum(render({"config": {"log": {"level": "debug"}}})) != checksum(render())
    stricter = {"remediation": {"policy": {**POLICY, "mode": "off"}}}
    assert checksum(render(REMEDIATING, stricter)) != checksum(render(REMEDIATING))
    one, other = ({"targetFiles": {"a.yml": [{"id": digit * 64}]}} for digit in "ab")
    assert checksum(render(one)) == checksum(render(other))


def volume(rendered: Rendered, name: str) -> Manifest:
    found: list[Manifest] = [one for one in rendered.pod["volumes"] if one["name"] == name]
    return found[0]


def mounted_at(rendered: Rendered, path: str) -> Manifest:
    found: list[Manifest] = [one for one in rendered.container["volumeMounts"] if one["mountPath"] == path]
    return found[0]


def test_secrets_are_mounted_read_only_for_the_exporter_alone() -> None:
    rendered = render({"secretMounts": ["keys"]})
    mount = mounted_at(rendered, "/etc/dbc-exporter/secrets/keys")
    assert mount["readOnly"] is True
    assert volume(rendered, mount["name"])["secret"] == {"secretName": "keys", "defaultMode": 0o440}


def test_without_a_web_configuration_probes_ask_the_pages_themselves() -> None:
    container = render().container
    assert container["startupProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "http"}


@pytest.mark.parametrize(
    ("web", "prefix"),
    [
        ({"external_url": "https://dbc.example:8443"}, ""),
        ({"external_url": "https://example/a/dbc/"}, "/a/dbc"),
        ({"external_url": "https://example/dbc", "route_prefix": "/"}, ""),
        ({"route_prefix": "/dbc"}, "/dbc"),
    ],
)
def test_probes_and_prometheus_follow_the_prefix(web: dict[str, str], prefix: str) -> None:
    rendered = render({"config": {"web": web}, **on("serviceMonitor")})
    asked = [rendered.container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")]
    assert asked == [f"{prefix}/-/healthy", f"{prefix}/-/ready"]
    (endpoint,) = rendered.one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["path"] == f"{prefix}/metrics"


def test_with_a_web_configuration_no_probe_needs_a_password() -> None:
    rendered = render({"webConfig": {"existingSecret": "web"}})
    alive, started = (
        rendered.container[probe]["exec"]["command"] for probe in ("livenessProbe", "startupProbe")
    )
    assert alive == started
    assert alive[1:] == ["healthcheck", "--config.file=/etc/dbc-exporter/config/settings.yml"]
    assert rendered.container["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert rendered.settings["web"]["config_file"] == "/etc/dbc-exporter/web/web-config.yml"


def test_remediation_keeps_its_journal_on_the_claim_and_stops_when_a_config_map_appears() -> None:
    rendered = render(REMEDIATING)
    assert rendered.settings["storage"] == {"path": "/var/lib/dbc-exporter"}
    assert volume(rendered, "storage")["persistentVolumeClaim"] == {"claimName": "dbc-exporter"}
    assert volume(rendered, "kill")["configMap"] == {"name": "dbc-exporter-kill", "optional": True}
    assert rendered.settings["remediation"] == {
        "policy_file": "/etc/dbc-exporter/config/policy.yml",
        "kill_file": "/etc/dbc-exporter/kill/kill",
    }
    assert "create configmap dbc-exporter-kill --from-literal=kill=" in rendered.notes


def test_the_webhooks_token_is_a_file_of_its_secret() -> None:
    rendered = render(
        REMEDIATING, {"remediation": {"webhookToken": {"existingSecret": "hook", "key": "bearer"}}}
    )
    assert rendered.settings["remediation"]["webhook_token_file"] == "/etc/dbc-exporter/webhook/bearer"
    assert volume(rendered, "webhook")["secret"]["secretName"] == "hook"


def test_a_claim_of_ones_own_is_used_and_none_is_made() -> None:
    rendered = render({"persistence": {"enabled": True, "existingClaim": "mine"}})
    assert rendered.all("PersistentVolumeClaim") == []
    assert volume(rendered, "storage")["persistentVolumeClaim"] == {"claimName": "mine"}


@pytest.mark.parametrize(("given", "wanted"), [("", None), ("-", ""), ("fast", "fast")])
def test_the_storage_class_is_the_clusters_none_or_the_one_named(given: str, wanted: str | None) -> None:
    claim = render({"persistence": {"enabled": True, "storageClass": given}}).one("PersistentVolumeClaim")
    assert claim["spec"].get("storageClassName") == wanted


def test_target_files_join_those_that_the_settings_name() -> None:
    files = {"pool.yml": [{"id": "5e" * 32}]}
    rendered = render({"config": {"targets": {"files": ["/more/*.yml"]}}, "targetFiles": files})
    assert rendered.settings["targets"]["files"] == ["/more/*.yml", "/etc/dbc-exporter/targets/*.yml"]


def test_the_network_policy_lets_in_whom_it_names_and_leaves_egress_alone() -> None:
    policy = render(on("networkPolicy")).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [
        {"from": [{"podSelector": {}}], "ports": [{"port": "http", "protocol": "TCP"}]}
    ]
    assert "egress" not in policy


def test_egress_is_confined_once_it_is_named() -> None:
    to = [{"to": [{"ipBlock": {"cidr": "10.0.0.5/32"}}]}]
    policy = render({"networkPolicy": {"enabled": True, "egress": to}}).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == to


def test_prometheus_is_sent_to_the_path_that_the_settings_name() -> None:
    values = {"config": {"web": {"telemetry_path": "/dbc/metrics"}}, **on("serviceMonitor")}
    (endpoint,) = render(values).one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint == {"port": "http", "path": "/dbc/metrics", "scheme": "http"}


def test_each_release_is_a_job_of_its_own_as_alerts_need_it() -> None:
    jobs = []
    for name in ("berlin", "oslo"):
        rendered = render(on("serviceMonitor"), name=name)
        label = rendered.one("ServiceMonitor")["spec"]["jobLabel"]
        jobs.append(rendered.one("Service")["metadata"]["labels"][label])
    assert jobs == ["berlin", "oslo"]


def test_labels_of_ones_own_never_replace_those_that_selectors_need() -> None:
    stolen = {"app.kubernetes.io/name": "thief", "app.kubernetes.io/instance": "thief"}
    rendered = render({"commonLabels": stolen, "podLabels": stolen, "service": {"labels": stolen}})
    for labels in (
        rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"],
        rendered.one("Service")["metadata"]["labels"],
    ):
        assert labels["app.kubernetes.io/name"] == "dbc-exporter"


def test_manifests_of_ones_own_are_rendered() -> None:
    secret = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: text-{{ .Release.Namespace }}\n"
    rendered = render({"extraManifests": [secret, text]})
    names = {one["metadata"]["name"] for one in rendered.all("ConfigMap")}
    assert {"dbc-exporter-more", "text-monitoring"} <= names


def test_notes_say_what_is_forgotten_at_a_restart() -> None:
    assert "forgotten at every restart" in render().notes
    assert "forgotten at every restart" not in render(on("persistence")).notes
