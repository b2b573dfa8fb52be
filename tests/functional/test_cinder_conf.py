"""Services start with a cinder.conf of DevStack, Kolla-Ansible and the installation guide, unchanged."""

import logging

import pytest

from cinder_lite import conf, db
from cinder_lite.backup import stores, writer
from cinder_lite.conf import unread
from cinder_lite.volume import backends, loading

pytestmark = pytest.mark.once

DEVSTACK = """
[DEFAULT]
allowed_direct_url_schemes = cinder
glance_api_servers = http://192.0.2.7/image
osapi_volume_listen = 0.0.0.0
osapi_volume_extension = cinder.api.contrib.standard_extensions
rootwrap_config = /etc/cinder/rootwrap.conf
default_volume_type = lvmdriver-1
enabled_backends = lvmdriver-1
my_ip = 192.0.2.7
state_path = {state}
target_helper = lioadm
transport_url = rabbit://stackrabbit:secret@192.0.2.7:5672/
graceful_shutdown_timeout = 5
osapi_volume_workers = 2
backup_swift_url = http://192.0.2.7:8080/v1/AUTH_
api_paste_config = /etc/cinder/api-paste.ini
auth_strategy = keystone
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
[database]
connection = mysql+pymysql://root:secret@127.0.0.1/cinder?charset=utf8&plugin=dbcounter
[oslo_concurrency]
lock_path = /opt/stack/data/cinder
[keystone_authtoken]
memcached_servers = localhost:11211
auth_url = http://192.0.2.7/identity
auth_type = password
[coordination]
backend_url = etcd3+http://192.0.2.7:2379
[lvmdriver-1]
image_volume_cache_enabled = True
volume_clear = zero
lvm_type = auto
target_helper = tgtadm
volume_group = stack-volumes-lvmdriver-1
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = lvmdriver-1
target_prefix = iqn.2010-10.org.openstack:
"""
KOLLA = """
[DEFAULT]
debug = False
log_dir = {state}/log
use_forwarded_for = true
use_stderr = False
my_ip = 192.0.2.8
osapi_volume_workers = 5
volume_name_template = volume-%s
os_region_name = RegionOne
enabled_backends = rbd-1
osapi_volume_listen = 192.0.2.8
osapi_volume_listen_port = 8776
auth_strategy = keystone
transport_url = rabbit://openstack:secret@192.0.2.8:5672//
default_volume_type = standard
state_path = {state}
scheduler_default_filters = AvailabilityZoneFilter,CapacityFilter,CapabilitiesFilter
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_compression_algorithm = zlib
backup_file_size = 1999994880
backup_sha_block_size_bytes = 32768
[oslo_messaging_notifications]
driver = noop
[oslo_middleware]
enable_proxy_headers_parsing = True
[nova]
auth_type = password
region_name = RegionOne
[database]
connection = mysql+pymysql://cinder:secret@192.0.2.8:3306/cinder
connection_recycle_time = 10
max_pool_size = 1
max_retries = -1
[oslo_concurrency]
lock_path = /var/lib/cinder/tmp
[rbd-1]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = rbd-1
rbd_cluster_name = ceph
rbd_pool = volumes
rbd_ceph_conf = /etc/ceph/ceph.conf
rbd_flatten_volume_from_snapshot = false
rbd_max_clone_depth = 5
rbd_store_chunk_size = 4
rados_connect_timeout = 5
rbd_user = cinder
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
report_discard_supported = True
image_upload_use_cinder_backend = True
[privsep_entrypoint]
helper_command = sudo cinder-rootwrap /etc/cinder/rootwrap.conf privsep-helper --config-file /etc/cinder/cinder.conf
"""
GUIDE = """
[DEFAULT]
transport_url = rabbit://openstack:secret@controller
auth_strategy = keystone
my_ip = 192.0.2.9
enabled_backends = lvm
glance_api_servers = http://controller:9292
state_path = {state}
[database]
connection = postgresql://cinder:secret@controller/cinder
[lvm]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_group = cinder-volumes
target_protocol = iscsi
target_helper = tgtadm
[oslo_concurrency]
lock_path = /var/lib/cinder/tmp
"""
FILES = {
    "devstack": (DEVSTACK, "LvmDriver", "mysql+pymysql", {
        ("DEFAULT", "osapi_volume_extension"), ("DEFAULT", "rootwrap_config"), ("DEFAULT", "graceful_shutdown_timeout"),
        ("DEFAULT", "backup_swift_url"), ("DEFAULT", "api_paste_config"), ("DEFAULT", "target_helper"),
        ("key_manager", "backend"), ("coordination", None)}),
    "kolla": (KOLLA, "RbdDriver", "mysql+pymysql", {
        ("DEFAULT", "use_forwarded_for"), ("DEFAULT", "volume_name_template"), ("DEFAULT", "os_region_name"),
        ("database", "max_retries"), ("rbd-1", "report_discard_supported"),
        ("rbd-1", "image_upload_use_cinder_backend")}),
    "guide": (GUIDE, "LvmDriver", "postgresql+psycopg", {("lvm", "target_protocol")}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_of_cinders_is_understood(name, tmp_path, caplog):
    text, driver, database, useless = FILES[name]
    file = tmp_path / "cinder.conf"
    file.write_text(text.format(state=tmp_path))
    loaded = conf.load(argv=["--config-file", str(file)])
    backend = backends.Backend(loaded, loaded.enabled_backends[0])
    assert type(backend.driver).__name__ == driver
    assert (type(backend.target).__name__ if backend.target else None) == ("TgtTarget" if driver == "LvmDriver"
                                                                           else None)
    store = stores.load(loaded)
    assert store.container("abcdef") and writer.Format.of(loaded).compress
    opened = db.Database(loaded.database)
    assert opened.url.drivername == database
    opened.dispose()
    assert {*unread.unread(loaded), *unread.unread(loaded, loaded.enabled_backends)} >= useless
    with caplog.at_level(logging.WARNING):
        unread.log_unread(loaded)
    assert len(caplog.records) == (0 if name == "guide" else 1) and "secret" not in caplog.text


def test_known_options_are_not_reported_as_unknown(tmp_path):
    file = tmp_path / "cinder.conf"
    file.write_text(KOLLA.format(state=tmp_path))
    loaded = conf.load(argv=["--config-file", str(file)])
    options = loading.load(loaded, "rbd-1")[1]
    assert options.rbd_pool
    assert {*unread.unread(loaded), *unread.unread(loaded, ["rbd-1"])} == FILES["kolla"][3]
