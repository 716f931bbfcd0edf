"""Does for a rendered pod what the kubelet would, below a folder."""

from __future__ import annotations

from pathlib import Path

from tests.helm.rendering import Rendered

SECRETS = {
    "seed": "5e" * 32,
    "mnemonic": "bottom drive obey lake curtain smoke basket hold race lonely fit walk",
    "token": "0123456789abcdef0123",
    "web-config.yml": "basic_auth_users: {}\n",
}


def mounted(rendered: Rendered, root: Path) -> Path:
    """Lay out below a folder what the kubelet would mount, and return the settings file."""
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in rendered.all("ConfigMap")}
    volumes = {volume["name"]: volume for volume in rendered.pod["volumes"]}
    for mount in rendered.container["volumeMounts"]:
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        volume = volumes.get(mount["name"], {})  # a StatefulSet's claims are no volumes of the pod
        files = SECRETS if "secret" in volume else maps.get(volume.get("configMap", {}).get("name"), {})
        for name, text in files.items():
            (folder / name).write_text(_moved(text, root), encoding="utf-8")
    argument: str
    (argument,) = (one for one in rendered.container["args"] if one.startswith("--config.file="))
    return root / argument.removeprefix("--config.file=").lstrip("/")


def _moved(text: str, root: Path) -> str:
    return text.replace("/etc/dbc-exporter/", f"{root}/etc/dbc-exporter/").replace(
        "/var/lib/dbc-exporter", f"{root}/var/lib/dbc-exporter"
    )


def arguments(rendered: Rendered, root: Path) -> list[str]:
    """Return the container's arguments, meaning the files below the folder."""
    return [_moved(argument, root) for argument in rendered.container["args"]]
