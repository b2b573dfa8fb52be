"""The volume operations of a compute service, by the code of Nova: nova_compute.py CONFIG, in the environment of Nova.

Each input line is a call, {"call": NAME, "token": ..., ...}, each output line its {"result": ...} or {"error": ...}.
The data of the database of Nova is kept in memory. Operations of the kernel and the hypervisor are replaced:
connection information of a plugged volume is in `plugged`, and qemu-img copies volumes.
"""

import json
import subprocess
import sys
import time
import types

from nova import context, objects
from nova.compute import manager, utils
from nova.conf import CONF
from nova.virt import block_device
from nova.volume import cinder

HOST = "compute-1"
CONNECTOR = {"host": HOST, "initiator": f"iqn.2026-01.org.example:{HOST}", "ip": "127.0.0.1", "multipath": False,
             "platform": "x86_64", "os_type": "linux"}


def url(data):
    return (f"iscsi://{data['auth_username']}%{data['auth_password']}@{data['target_portal']}/{data['target_iqn']}/"
            f"{data['target_lun']}")


class Hypervisor:
    """What Nova asks of its virt driver."""

    capabilities = {"supports_multiattach": True}

    def __init__(self):
        self.plugged, self.failing = {}, False

    def get_volume_connector(self, instance):
        return dict(CONNECTOR)

    def instance_exists(self, instance):
        return True

    def attach_volume(self, context, connection_info, instance, mountpoint, **_more):
        if self.failing:
            raise RuntimeError("the hypervisor was made to fail")
        self.plugged[mountpoint] = connection_info

    def detach_volume(self, context, connection_info, instance, mountpoint, **_more):
        assert self.plugged.pop(mountpoint)["data"]["target_iqn"] == connection_info["data"]["target_iqn"]

    def swap_volume(self, context, old, new, instance, mountpoint, resize_to):
        if self.failing:
            raise RuntimeError("the hypervisor was made to fail")
        subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", url(old["data"]), url(new["data"])],
                       check=True,
                       timeout=300)
        self.plugged[mountpoint] = new


class Compute:
    """The calls. One server has all volumes."""

    def __init__(self, server):
        self.api, self.hypervisor = cinder.API(), Hypervisor()
        self.instance = objects.Instance(uuid=server, host=HOST, availability_zone="nova", system_metadata={})
        self.devices = {}

    def _ctx(self, ask):
        return context.RequestContext(user_id=ask["user"], project_id=ask["project"], auth_token=ask["token"],
                                      service_catalog=[], is_admin=ask.get("admin", False))

    def _device(self, **values):
        """A row of Nova's of a device, which is not saved."""
        empty = {name: None for name, field in objects.BlockDeviceMapping.fields.items() if field.nullable}
        row = objects.BlockDeviceMapping(context.get_admin_context(), **empty | {
            "instance_uuid": self.instance.uuid, "source_type": "volume", "destination_type": "volume",
            "delete_on_termination": False, "no_device": False, "device_name": f"/dev/vd{chr(98 + len(self.devices))}",
            **values})
        row.save = lambda: None
        return row

    def attach(self, ask):
        """As `server add volume` does; `legacy`: by the calls of the time before attachments had ids."""
        ctx, volume = self._ctx(ask), ask["volume"]
        self.api.check_availability_zone(ctx, self.api.get(ctx, volume), instance=self.instance)
        attachment = None
        if ask.get("legacy"):
            self.api.reserve_volume(ctx, volume)
        else:
            attachment = self.api.attachment_create(ctx, volume, self.instance.uuid)["id"]
        row = self._device(volume_id=volume, attachment_id=attachment)
        self._attached(ctx, row)

    def _attached(self, ctx, row, **more):
        device = block_device.convert_volume(row)
        device.attach(ctx, self.instance, self.api, self.hypervisor, do_driver_attach=True, **more)
        self.devices[device.volume_id] = row
        row.volume_id = device.volume_id

    def boot(self, ask):
        """A server boots from a new volume that is blank, or of a snapshot. Returns the volume's id."""
        ctx = self._ctx(ask)
        row = self._device(source_type="snapshot" if "snapshot" in ask else "blank", volume_size=1,
                           snapshot_id=ask.get("snapshot"))
        device = block_device.convert_volume(row)
        device.attach(ctx, self.instance, self.api, self.hypervisor, wait_func=self._wait)
        self.devices[device.volume_id] = row
        row.volume_id = device.volume_id
        self.hypervisor.plugged[row.device_name] = json.loads(row.connection_info)
        return device.volume_id

    def _wait(self, ctx, volume):
        for _ in range(600):
            found = self.api.get(ctx, volume)["status"]
            if found == "available":
                return
            assert found in ("creating", "downloading"), found
            time.sleep(0.1)
        raise AssertionError(f"volume {volume} is not available")

    def detach(self, ask):
        ctx, volume = self._ctx(ask), ask["volume"]
        self.api.begin_detaching(ctx, volume)
        block_device.convert_volume(self._as_volume(volume)).detach(ctx, self.instance, self.api, self.hypervisor)
        del self.devices[volume]

    def _as_volume(self, volume):
        row = self.devices[volume]
        row.source_type = "volume"
        return row

    def swap(self, ask):
        """The compute service's whole part, once the API has reserved the new volume."""
        ctx, old, new = self._ctx(ask), ask["volume"], ask["new"]
        self.api.begin_detaching(ctx, old)
        attachment = self.api.attachment_create(ctx, new, self.instance.uuid)["id"]
        asked = types.SimpleNamespace(driver=self.hypervisor, volume_api=self.api, host=HOST)
        for name in ("_swap_volume", "_init_volume_connection"):
            setattr(asked, name, types.MethodType(getattr(manager.ComputeManager, name), asked))
        row = self.devices[old]
        objects.BlockDeviceMapping.get_by_volume_and_instance = lambda *_: row
        utils.notify_about_volume_swap = lambda *_, **__: None
        manager.ComputeManager._do_swap_volume(asked, ctx, old, new, self.instance, attachment)
        self.devices[row.volume_id] = self.devices.pop(old)
        return row.volume_id

    def refresh(self, ask):
        """What a compute service does before it looks at a device anew."""
        device = block_device.convert_volume(self._as_volume(ask["volume"]))
        device.refresh_connection_info(self._ctx(ask), self.instance, self.api, self.hypervisor)

    def fail(self, ask):
        self.hypervisor.failing = ask["on"]

    def address(self, ask):
        """Where a volume is plugged in, None when it is not."""
        row = self.devices.get(ask["volume"])
        return url(self.hypervisor.plugged[row.device_name]["data"]) if row is not None else None

    def plugged(self, ask):
        return len(self.hypervisor.plugged)


def main(config, server):
    CONF([], project="nova", version="0", default_config_files=[config])
    objects.register_all()
    compute = Compute(server)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            answer = {"result": getattr(compute, ask["call"])(ask)}
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
