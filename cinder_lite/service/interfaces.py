"""The RPC interfaces of this release's services."""

from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.service.process import Interfaces
from cinder_lite.volume.rpcapi import VolumeRPC

INTERFACES = Interfaces(volume=VolumeRPC, scheduler=SchedulerRPC, backup=BackupRPC)
