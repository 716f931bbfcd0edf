"""Every endpoint by name, with the maker of its answers."""

from __future__ import annotations

from tests.fuzz import answers_bare_metal, answers_client, answers_node, answers_rented
from tests.fuzz.answers_writes import writes
from tests.fuzz.good import Build

READS: dict[str, Build] = {
    "version": answers_client.version,
    "node list": answers_client.node_list,
    "bare metal ids": answers_client.bare_metal_ids,
    "peers active": answers_client.peers_active,
    "peers global": answers_client.peers_global,
    "peers lan": answers_client.peers_lan,
    "LAN list": answers_client.lan_list,
    "image servers": answers_client.image_servers,
    "centre images": answers_client.centre_images,
    "node configuration": answers_node.node_config,
    "server configuration": answers_node.server_config,
    "rent orders": answers_node.rent_orders,
    "LAN probe": answers_node.lan_probe,
    "images": answers_node.images,
    "images with a centre's": answers_node.images_with_centre,
    "task list": answers_rented.task_list,
    "task details": answers_rented.vm,
    "task logs": answers_rented.logs,
    "disk list": answers_rented.disk_list,
    "snapshot list": answers_rented.snapshot_list,
    "snapshot details": answers_rented.snapshot_details,
    "download progress": answers_rented.download_progress,
    "upload progress": answers_rented.upload_progress,
    "session id": answers_rented.session_id,
    "monitor servers": answers_rented.monitor_servers,
    "bare metal list": answers_bare_metal.bare_metal_list,
    "bare metal server": answers_bare_metal.bare_metal_server,
    "bare metal info": answers_bare_metal.bare_metal_info,
    "power status": answers_bare_metal.power_status,
}
ENDPOINTS = READS | writes()
