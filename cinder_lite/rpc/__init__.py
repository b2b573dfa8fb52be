"""Messages between processes: interfaces, their clients and servers, and notifications, over oslo.messaging."""

from oslo_service import backend
from oslo_service.backend import base

from cinder_lite import concurrency
from cinder_lite.concurrency import postponed

# oslo.messaging imports oslo.service, which imports eventlet unless it gets another backend.
if not concurrency.GREEN:
    backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
    # Of that it uses one class; the module imports executors and multiprocessing.
    postponed.postpone("oslo_service.service", ServiceBase=base.ServiceBase)
