"""Authentication: the strategies noauth, http_basic and keystone."""
