"""Messages between processes: interfaces, their clients and servers, and notifications, over oslo.messaging."""

from oslo_service import backend

from cinder_lite import concurrency

# oslo.messaging imports oslo.service, which imports eventlet unless it gets another backend.
if not concurrency.GREEN:
    backend.register_backend_default_hook(lambda: backend.BackendType.THREADING)
