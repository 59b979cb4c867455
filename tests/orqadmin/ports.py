"""Ports for servers that a test starts."""

import socket


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; another process may take them meanwhile, as with any port chosen early."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]
