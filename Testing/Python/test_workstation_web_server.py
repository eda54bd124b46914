"""How the workstation's server starts and ends: in this process, and as a process of its own that gets Ctrl-C."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp

from small_workstation import SmallApplication, running, with_workstation
from SpiderSegLib.errors import InputError, OutputError
from SpiderSegLib.workstation.asyncio_ticker import AsyncioTicker
from SpiderSegLib.workstation.web.server import Serving

HERE = Path(__file__).parent


def test_the_application_is_told_of_start_and_stop_and_its_folder_is_gone_at_the_end():
    async def run():
        async with running() as workstation:
            application = workstation.application
            assert application.told == ["start"]
            folder = application.routes.folder
            (folder / "result.mha").write_bytes(b"labels")
            assert application.routes.uploadUrl == "/web/upload"
        assert application.told == ["start", "stop"]
        assert not folder.exists()

    asyncio.run(run())


def test_an_open_page_is_told_that_the_server_ends():
    async def run():
        async with running() as workstation:
            page = await workstation.open_page()
            told = asyncio.create_task(page.receive())
            await asyncio.sleep(0)
        message = await told
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)

    asyncio.run(run())


def test_the_page_holds_trame_s_client_and_trame_answers_on_the_socket():
    async def check(workstation):
        page = await (await workstation.client.get(workstation.url)).text()
        for asset in re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page):
            assert (await workstation.client.get(workstation.url.join(aiohttp.client.URL(asset)))).status == 200
        async with await workstation.open_page():
            assert workstation.application.server.running

    with_workstation(check)


def test_arguments_of_the_command_line_are_not_taken_for_trame_s(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["spiderseg", "workstation", "--host", "0.0.0.0", "--port", "1", "--content", "/etc"])
    monkeypatch.setenv("TRAME_ARGS", "--host 0.0.0.0 --port 1")

    async def check(workstation):
        assert workstation.application.server.server_options.host == "127.0.0.1"
        assert workstation.url.port > 1023

    with_workstation(check)
    assert os.environ["TRAME_ARGS"] == "--host 0.0.0.0 --port 1"


def test_a_taken_port_is_said_and_the_application_can_let_go_of_what_it_opened():
    application = SmallApplication()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"can't listen on 127\.0\.0\.1, port {port}: .*choose another --port"):
            asyncio.run(Serving(application, port=port).start())
    assert application.told == ["start", "stop"]
    assert not application.routes.folder.exists()


def test_work_that_can_t_be_kept_is_said_and_the_server_ends_all_the_same():
    class Failing(SmallApplication):
        def onStop(self):
            raise OutputError("the disk is full")

    async def run():
        application = Failing()
        serving = Serving(application)
        await serving.start()
        with pytest.raises(OutputError, match="the disk is full"):
            await serving.stop()
        assert not application.routes.folder.exists()

    asyncio.run(run())


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_address_names_a_host_that_can_be_opened(host, shown):
    async def check(workstation):
        assert workstation.address.startswith(f"http://{shown}:")

    with_workstation(check, host=host)


# A process of its own

PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from small_workstation import SmallApplication
from SpiderSegLib.cli import main
from SpiderSegLib.workstation.web.server import Serving

class Application(SmallApplication):
    def onStop(self):
        print("work is kept", flush=True)
        {on_stop}

class Command:
    @staticmethod
    def workstation(arguments):
        Serving(Application(), arguments.host, arguments.port).run()
        return 0
    WorkstationArguments = __import__("SpiderSegLib.cli.workstation", fromlist=["x"]).WorkstationArguments

import SpiderSegLib.cli
sys.modules["SpiderSegLib.cli.workstation"] = SpiderSegLib.cli.workstation = Command
sys.argv = ["spiderseg", "workstation", *{arguments!r}]
main.main()
"""


class Process:
    """A server in a process of its own, through the command line's way in and out."""

    def __init__(self, *arguments: str, on_stop: str = "pass") -> None:
        program = PROGRAM.format(here=str(HERE), arguments=list(arguments), on_stop=on_stop)
        self._process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = self._process.stdout.readline()
        self.address = re.fullmatch(r"SpiderSeg workstation: (http://\S+)\n", first).group(1)
        self.told = self._process.stdout.readline()

    def end(self, number: int) -> tuple[int, str, str]:
        """Exit code and what was printed after a signal."""
        self._process.send_signal(number)
        out, errors = self._process.communicate(timeout=60)
        return self._process.returncode, out, errors


def test_sigterm_is_a_usual_end_and_another_host_is_served_with_a_warning():
    process = Process("--host", "0.0.0.0")
    code, out, errors = process.end(signal.SIGTERM)
    assert (code, out) == (0, "work is kept\n")
    assert "without encryption" in errors
    assert "SSH tunnel" in errors


def test_ctrl_c_is_the_usual_end_also_of_a_server_whose_page_is_open_and_the_exit_code_is_0():
    process = Process()
    assert process.told == "Only who has this address can open it. Ctrl-C here ends SpiderSeg; closing the browser does not.\n"

    async def open_and_end():
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            await client.get(process.address)
            origin = process.address.partition("/?")[0]
            page = await client.ws_connect(f"{origin}/ws", headers={"Origin": origin})
            ending = asyncio.create_task(asyncio.to_thread(process.end, signal.SIGINT))
            assert (await page.receive()).data == 1001
            return await ending

    assert asyncio.run(open_and_end()) == (0, "work is kept\n", "")


def test_work_that_can_t_be_kept_is_exit_code_1_and_a_line():
    process = Process(on_stop="raise __import__('SpiderSegLib.errors', fromlist=['x']).OutputError('the disk is full')")
    assert process.end(signal.SIGINT) == (1, "work is kept\n", "error: the disk is full\n")


# The ticker


def test_a_ticker_ticks_until_it_is_stopped_from_within():
    async def run():
        ticks = []
        done = asyncio.Event()

        def tick():
            ticks.append(len(ticks))
            if len(ticks) == 3:
                ticker.stop()
                done.set()

        ticker = AsyncioTicker(1, tick)
        assert ticks == []
        ticker.start()
        await done.wait()
        await asyncio.sleep(0.01)
        assert ticks == [0, 1, 2]
        ticker.stop()

    asyncio.run(run())


def test_a_ticker_goes_on_after_an_exception_which_the_loop_is_told():
    async def run():
        told = []
        done = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(str(context["exception"])))

        def tick():
            if told:
                ticker.stop()
                done.set()
                return
            raise ValueError("a tick failed")

        ticker = AsyncioTicker(1, tick)
        ticker.start()
        await done.wait()
        assert told == ["a tick failed"]

    asyncio.run(run())
