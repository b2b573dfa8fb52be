"""Configures the database and the broker of this machine: a user with a password, a database, a virtual host."""

import subprocess


def mariadb(run, password):
    run(["systemctl", "enable", "--now", "mariadb"])
    run(["mariadb"], text=f"""
        CREATE DATABASE IF NOT EXISTS cinder CHARACTER SET utf8mb4;
        CREATE USER IF NOT EXISTS cinder@localhost;
        ALTER USER cinder@localhost IDENTIFIED BY '{password}';
        GRANT ALL ON cinder.* TO cinder@localhost;
    """)


def postgresql(run, password):
    run(["systemctl", "enable", "--now", "postgresql"])
    run(["runuser", "-u", "postgres", "--", "psql", "-qv", "ON_ERROR_STOP=1"], cwd="/", text=f"""
        SELECT 'CREATE ROLE cinder LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cinder') \\gexec
        ALTER ROLE cinder PASSWORD '{password}';
        SELECT 'CREATE DATABASE cinder OWNER cinder' WHERE NOT EXISTS
            (SELECT FROM pg_database WHERE datname = 'cinder') \\gexec
    """)


def rabbitmq(run, password):
    run(["systemctl", "enable", "--now", "rabbitmq-server"])
    run(["rabbitmqctl", "await_startup", "--timeout", "300"])
    _unless_there(run, ["rabbitmqctl", "add_vhost", "cinder"])
    # The password is passed on stdin, not on a command line.
    if not _unless_there(run, ["rabbitmqctl", "add_user", "cinder"], f"{password}\n"):
        run(["rabbitmqctl", "change_password", "cinder"], text=f"{password}\n")
    run(["rabbitmqctl", "set_permissions", "-p", "cinder", "cinder", ".*", ".*", ".*"])


def _unless_there(run, command, text=""):
    try:
        run(command, text=text)
    except subprocess.CalledProcessError as error:
        if "already exists" not in f"{error.stdout}{error.stderr}":
            raise
        return False
    return True


DATABASES = {"mariadb": mariadb, "postgresql": postgresql}
