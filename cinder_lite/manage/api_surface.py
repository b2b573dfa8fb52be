"""cinder-lite-manage routes and openapi: lists the API's operations and prints their OpenAPI document."""

import argparse

import orjson

from cinder_lite.manage import OK, Commands, table
from cinder_lite.service.process import Process


def routes(_shared: Process, _args: argparse.Namespace) -> int:
    """list every operation of the API"""
    from cinder_lite.api import installed

    table(("Method", "Path", "Action", "Since", "Until", "Status", "Policy", "Handler"), [
        (route.method, route.path, route.action, route.since, route.until, route.status, route.policy,
         f"{route.handler.__module__.removeprefix('cinder_lite.')}.{route.handler.__name__}")
        for route in installed.routes()])
    return OK


def openapi(_shared: Process, args: argparse.Namespace) -> int:
    """print the API as an OpenAPI 3.1 document"""
    from cinder_lite.api import openapi, versions

    version = versions.requested(f"{versions.SERVICE} {args.microversion}")
    print(orjson.dumps(openapi.document(version), option=orjson.OPT_INDENT_2).decode())
    return OK


COMMANDS: Commands = {
    ("routes",): (routes, (), False),
    ("openapi",): (openapi, (("--microversion", {
        "default": "latest", "metavar": "X.Y", "help": "microversion of the document (default: latest)"}),), False),
}
