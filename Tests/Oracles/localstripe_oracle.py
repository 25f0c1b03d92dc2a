"""localstripe as a Stripe that others have written: serves on a free port of 127.0.0.1, and prints it.

By itself it would listen on all addresses, and keep what it has in one file for all of the machine.
"""
import socket

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda store: None
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.run_app(server.app, sock=listener, print=None, access_log=None)
