"""Messages between processes: interfaces, their clients and servers, and notifications, over oslo.messaging."""
