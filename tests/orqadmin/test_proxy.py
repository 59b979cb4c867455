"""The nginx files in ``deploy/``, run by nginx itself in front of a stub of the product."""

import getpass
import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.orqadmin.ports import free_port, free_ports

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = "ai.example.com"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/sbin:/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


class Stub(ThreadingHTTPServer):
    """Stands for the product: answers with its name and what the proxy told it, or with a stream in two parts."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.name = name
        self.first_part_arrived = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class StubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def do_GET(self) -> None:
        told = [self.headers[name] for name in ("Host", "X-Forwarded-For", "X-Forwarded-Proto")]
        body = " ".join([self.server.name, *told]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        # A proxy that buffers would never let this happen.
        if self.server.first_part_arrived.wait(20):
            self.wfile.write(b"data: two\n\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stubs() -> Iterator[dict[str, Stub]]:
    running = {name: Stub(name) for name in ("web", "gateway")}
    yield running
    for stub in running.values():
        stub.shutdown()
        stub.server_close()


@pytest.fixture
def start_nginx(tmp_path: Path) -> Iterator:
    """A function that runs nginx with one of our files, in which some text is replaced."""
    running = []

    def start(file: str, port: int, replaced: dict[str, str]) -> None:
        text = (DEPLOY / file).read_text()
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "site.conf").write_text(text)
        temporary = " ".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"user {getpass.getuser()}; daemon off; pid {tmp_path}/pid; events {{}}\n"
            f"http {{ access_log off; {temporary} include {tmp_path}/site.conf; }}\n"
        )
        command = [NGINX, "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"]
        running.append(subprocess.Popen(command))
        while not is_listening(port):
            assert running[-1].poll() is None, (tmp_path / "error.log").read_text()
            time.sleep(0.02)

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for ``NAME`` that it signed itself, with its key beside it as ``.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "site.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> str:
    connection.request("GET", path, headers=headers)
    return connection.getresponse().read().decode()


def read_stream(connection: http.client.HTTPConnection, path: str, stub: Stub) -> list[bytes]:
    """Return the lines of the stub's stream; its second part comes only after the first was read here."""
    connection.request("POST", path, body=b"{}")
    answer = connection.getresponse()
    first = answer.readline()
    stub.first_part_arrived.set()
    return [first, *(line for line in answer if line.strip())]


@pytest.fixture
def over_tls(start_nginx, stubs, certificate) -> Iterator[http.client.HTTPSConnection]:
    """A connection to the product through TLS, as in deploy/nginx-tls.conf."""
    plain, tls = free_ports(2)
    replaced = {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ": f"listen 127.0.0.1:{tls} ",
        "127.0.0.1:8000": f"127.0.0.1:{stubs['web'].server_address[1]}",
        "/etc/ssl/ai.example.com.pem": str(certificate),
        "/etc/ssl/ai.example.com.key": str(certificate.with_suffix(".key")),
    }
    start_nginx("nginx-tls.conf", tls, replaced)
    trust = ssl.create_default_context(cafile=str(certificate))
    connection = http.client.HTTPSConnection(NAME, context=trust)
    # The name is not in the DNS, so we connect by address.
    raw = socket.create_connection(("127.0.0.1", tls), timeout=30)
    connection.sock = trust.wrap_socket(raw, server_hostname=NAME)
    yield connection
    connection.close()


@pytest.fixture
def within_compose(start_nginx, stubs) -> Iterator[http.client.HTTPConnection]:
    """A connection to the proxy between web and gateway, as in deploy/nginx.conf."""
    port = free_port()
    replaced = {f"{name}:8000": f"127.0.0.1:{stub.server_address[1]}" for name, stub in stubs.items()}
    trusted = {"set_real_ip_from 172.16.0.0/12": "set_real_ip_from 127.0.0.0/8"}
    start_nginx("nginx.conf", port, {**replaced, **trusted, "listen 8000;": f"listen 127.0.0.1:{port};"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    yield connection
    connection.close()


def test_tls_proxy_tells_who_called_and_how(over_tls):
    assert get(over_tls, "/", **{"X-Forwarded-For": "8.8.8.8"}) == f"web {NAME} 127.0.0.1 https"


def test_tls_proxy_passes_events_on_as_they_come(over_tls, stubs):
    assert read_stream(over_tls, "/v3/router/responses", stubs["web"]) == [b"data: one\n", b"data: two\n"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "web"),
        ("/w/default/overview/", "web"),
        ("/api/v1/usage", "web"),
        ("/v3/router/models", "gateway"),
        ("/v2/router/chat/completions", "gateway"),
        ("/readyz", "gateway"),
    ],
)
def test_compose_proxy_sends_each_path_where_it_belongs(within_compose, path, name):
    assert get(within_compose, path).split()[0] == name


def test_compose_proxy_keeps_the_outer_proxys_client(within_compose):
    told = get(within_compose, "/", **{"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https", "Host": NAME})

    assert told == f"web {NAME} 8.8.8.8 https"


def test_compose_proxy_passes_events_on_as_they_come(within_compose, stubs):
    assert read_stream(within_compose, "/v3/router/responses", stubs["gateway"]) == [b"data: one\n", b"data: two\n"]
