"""Send traffic through the gateway to the simulated provider, as the shipped trace has it, until Ctrl-C."""

import asyncio
import random
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from django.conf import settings
from django.core.management.base import BaseCommand

from keys.credentials import make_simulated_secret
from keys.models import ProviderKey
from keys.services import create_provider_key
from simulator.trace import read_trace
from simulator.traffic import PROVIDER_PREFIX, DemoRequest, make_request
from teams.models import GatewayKey, Workspace
from teams.services import create_gateway_key, ensure_workspace, revoke_gateway_key

PROVIDER = "simulated"
PROVIDER_KEY_NAME = "Simulated Anthropic"
GATEWAY_KEY_NAME = "Demo traffic"
MOST_AT_ONCE = 64
REPORT_EVERY_S = 60
REQUEST_TIMEOUT_S = 120
# Between the end of the trace and its next round.
PAUSE_S = 5.0


class Command(BaseCommand):
    help = "Connect Simulated Anthropic in the first workspace and send traffic through the gateway until Ctrl-C."
    # It starts beside the server, which has checked already.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--speed", type=float, default=1.0, help="2 sends the trace twice as fast")
        parser.add_argument("--requests", type=int, default=0, help="stop after so many; 0 goes on for ever")
        parser.add_argument("--origin", default=f"http://127.0.0.1:{settings.PORT}", help="where the gateway is")

    def handle(self, *args: Any, speed: float, requests: int, origin: str, **options: Any) -> None:
        workspace = ensure_workspace()
        connect_simulator(workspace)
        token = make_demo_key(workspace)
        simulator = settings.SIMULATOR_ORIGIN
        traffic = Traffic(origin, token, simulator=simulator, speed=speed, limit=requests, say=self._say)
        try:
            asyncio.run(traffic.run())
        except KeyboardInterrupt:
            pass
        self._say(traffic.summary())

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def connect_simulator(workspace: Workspace) -> None:
    """Connect the simulated provider unless it is connected."""
    if not ProviderKey.objects.in_workspace(workspace).filter(provider=PROVIDER).exists():
        secret = make_simulated_secret()
        create_provider_key(workspace, provider=PROVIDER, name=PROVIDER_KEY_NAME, secret=secret, actor=None)


def make_demo_key(workspace: Workspace) -> str:
    """Return a new gateway key. The one of an earlier run is revoked, for its text is kept nowhere."""
    for old in GatewayKey.objects.filter(workspace=workspace, name=GATEWAY_KEY_NAME, revoked_at=None):
        revoke_gateway_key(old, actor=None)
    return create_gateway_key(workspace, name=GATEWAY_KEY_NAME, actor=None).token.text


class Traffic:
    """Sends the trace round after round, at ``speed`` times its pace, and counts how it went."""

    def __init__(
        self, origin: str, token: str, *, simulator: str, speed: float, limit: int, say: Callable[[str], None]
    ) -> None:
        self._origin, self._simulator = origin, simulator
        self._headers = {"authorization": f"Bearer {token}"}
        self._speed, self._limit, self._say = speed, limit, say
        self.outcomes: Counter[str] = Counter()
        self._sent = 0

    async def run(self) -> None:
        """Send until ``limit`` is reached, or for ever; what is on its way when this is cancelled is dropped."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await self._until_ready(session)
            self._say("Simulated traffic is on its way through the gateway.")
            async with asyncio.TaskGroup() as group:
                reports = group.create_task(self._report())
                await self._send_rounds(session)
                reports.cancel()

    def summary(self) -> str:
        """Return one line on what was sent."""
        outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(self.outcomes.items()))
        return f"{self._sent:,} simulated requests sent: {outcomes or 'none answered yet'}."

    async def _until_ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until the simulator answers, and then until the gateway offers its models to our key.

        Nothing that fails meanwhile is counted anywhere: figures must show the traffic alone.
        """
        while True:
            if "Simulated" in await _fetched(session, f"{self._simulator}/", {}):
                models = await _fetched(session, f"{self._origin}/v3/router/models", self._headers)
                if PROVIDER_PREFIX in models:
                    return
            await asyncio.sleep(0.5)

    async def _send_rounds(self, session: aiohttp.ClientSession) -> None:
        dice = random.Random()  # noqa: S311  # variety, not secrecy
        trace = read_trace()
        async with asyncio.TaskGroup() as group:
            while True:
                started = asyncio.get_running_loop().time()
                for arrival in trace:
                    if self._limit and self._sent >= self._limit:
                        return
                    due = started + arrival.after_s / self._speed
                    await asyncio.sleep(due - asyncio.get_running_loop().time())
                    self._sent += 1
                    group.create_task(self._send(session, make_request(arrival, dice)))
                await asyncio.sleep(PAUSE_S / self._speed)

    async def _send(self, session: aiohttp.ClientSession, request: DemoRequest) -> None:
        try:
            headers = {**self._headers, **request.headers}
            async with session.post(self._origin + request.path, json=request.body, headers=headers) as answer:
                await answer.read()
                outcome = "answered" if answer.status == 200 else f"failed with {answer.status}"
        except (aiohttp.ClientError, TimeoutError):
            outcome = "cut off"
        if request.is_meant_to_fail and outcome != "answered":
            outcome = "failed on purpose"
        self.outcomes[outcome] += 1

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            self._say(self.summary())


async def _fetched(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> str:
    """Return what is at ``url``, '' if nothing answers there."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url, headers=headers) as answer:
            return await answer.text()
    return ""
