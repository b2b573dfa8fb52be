"""The API for WSGI servers: uWSGI, gunicorn, Apache with mod_wsgi."""
