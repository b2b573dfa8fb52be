"""Authentication of requesters: the strategies noauth, http_basic and keystone."""
