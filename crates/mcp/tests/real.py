"""MCP as people use it: servers and a client out of package registries, against the program.

    python3 crates/mcp/tests/real.py path/to/ingle MODEL.gguf

(`cargo xtask ci --only clients` runs it) brings pinned packages by pip (into a virtual environment) and npm (into a folder) under the folder that INGLE_TEST_MODELS
or the system's temporary folder names, and then
  - `ingle run` calls tools of PyPI's `mcp-server-time` and of npm's `server-filesystem` over stdio, and of npm's
    `server-everything` over streamable HTTP, and asks first, at a terminal of ours; in place of a model that calls when it likes stands one that does as told;
  - PyPI's `mcp` client lists and calls what `ingle mcp` offers.
"""

import http.server
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PIP = ["mcp==1.26.0", "mcp-server-time==2025.9.25"]
NPM = ["@modelcontextprotocol/server-filesystem@2026.8.31", "@modelcontextprotocol/server-everything@2026.8.31"]

CLIENT = """
import asyncio, json, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(program, model):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    server = StdioServerParameters(command=program, args=["mcp", model, "--chat-template", template])
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            assert [tool.name for tool in tools] == ["chat", "complete", "embed"], tools
            told = await session.call_tool("chat", {"prompt": "Once", "max_tokens": 8, "seed": 1})
            assert not told.isError and told.content[0].text, told
            vectors = await session.call_tool("embed", {"texts": ["a", "b"]})
            assert len(json.loads(vectors.content[0].text)["vectors"]) == 2, vectors
            wrong = await session.call_tool("chat", {"prompt": "x", "model": "other"})
            assert wrong.isError, wrong

asyncio.run(main(*sys.argv[1:]))
"""


class Obedient(http.server.BaseHTTPRequestHandler):
    """A model, in OpenAI's dialect, that calls what `calls` says and then repeats what it was told."""

    calls = None
    offered = None

    def log_message(self, *_):
        pass

    def reply(self, kind, data):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply("application/json", b'{"data": [{"id": "obedient"}]}')

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Obedient.offered = [tool["function"]["name"] for tool in body["tools"]]
        last = body["messages"][-1]
        name, arguments = Obedient.calls
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        told = last["role"] == "tool"
        delta = {"content": last["content"]} if told else {"tool_calls": [call]}
        end = {"index": 0, "delta": {}, "finish_reason": "stop" if told else "tool_calls"}
        chunks = [{"choices": [{"index": 0, "delta": delta}]}, {"choices": [end]}]
        events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.reply("text/event-stream", events.encode())


def bring(folder):
    """The packages; what is there already stays."""
    python = folder / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *PIP], check=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *NPM], check=True)
    return python, folder / "node_modules/.bin"


def ask(program, host, servers, name, arguments, folder):
    """What the obedient model was told when it called the tool."""
    Obedient.calls = (name, arguments)
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": servers}))
    words = [program, "run", "--host", host, "go", "--mcp-config", config, "--mcp-allow", name]
    said = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert said.returncode == 0, said
    return said.stdout


def asked(program, host, servers, answers, folder):
    """What the obedient model was told when a user at a terminal was asked for consent, and what the user saw."""
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    words = [program, "run", "--host", host, "go", "--mcp-config", folder / "mcp.json"]
    ours, terminal = pty.openpty()
    run = subprocess.Popen(words, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(terminal)
    try:
        shown = ""
        for answer in answers:
            # One question at a time, as a user would.
            while not shown.endswith("[n]o: "):
                letter = run.stderr.read(1)
                assert letter, shown
                shown += letter
            os.write(ours, answer)
            shown += "\n"
        told, rest = run.communicate(timeout=120)
        assert run.returncode == 0, shown + rest
        return told, shown + rest
    finally:
        run.kill()
        os.close(ours)


def consent(program, host, clock, folder):
    """Nothing is called that the user at the terminal did not let be called."""
    Obedient.calls = ("get_current_time", {"timezone": "Europe/Oslo"})
    refused = "error: the user did not allow this call"
    for answer in [b"y\n", b"YES\n", b"a\n"]:
        told, shown = asked(program, host, clock, [answer], folder)
        assert json.loads(told)["timezone"] == "Europe/Oslo", told
        assert "call `get_current_time` of `time` with" in shown and "Europe/Oslo" in shown, shown
    # Whatever is no answer is asked again; the end of the input is no consent.
    for answers in [[b"n\n"], [b"what\n", b"\n", b"no\n"], [b"\x04"]]:
        told, _ = asked(program, host, clock, answers, folder)
        assert told.strip() == refused, told
    # Nobody is there to be asked.
    words = [program, "run", "--host", host, "go", "--mcp-config", folder / "mcp.json"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert said.stdout.strip() == refused and "--mcp-allow" in said.stderr, said


def main(program, model):
    base = pathlib.Path(os.environ.get("INGLE_TEST_MODELS") or tempfile.gettempdir()) / "mcp-packages"
    base.mkdir(parents=True, exist_ok=True)
    python, programs = bring(base)
    model_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Obedient)
    threading.Thread(target=model_server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{model_server.server_port}"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()

        clock = {"time": {"command": str(python), "args": ["-m", "mcp_server_time", "--local-timezone", "UTC"]}}
        told = ask(program, host, clock, "get_current_time", {"timezone": "Europe/Oslo"}, folder)
        assert json.loads(told)["timezone"] == "Europe/Oslo", told
        told = ask(program, host, clock, "get_current_time", {"timezone": "Mars/Base"}, folder)
        assert told.startswith("error: "), told
        consent(program, host, clock, folder)

        (folder / "note.txt").write_text("a note of ours")
        files = {"files": {"command": str(programs / "mcp-server-filesystem"), "args": [str(folder)]}}
        told = ask(program, host, files, "read_text_file", {"path": str(folder / "note.txt")}, folder)
        assert told.strip() == "a note of ours", told
        told = ask(program, host, files, "read_text_file", {"path": "/etc/passwd"}, folder)
        assert told.startswith("error: "), told

        # Two servers at once.
        ask(program, host, clock | files, "convert_time", {}, folder)
        assert {"get_current_time", "read_text_file"} <= set(Obedient.offered), Obedient.offered

        everything = subprocess.Popen(
            [programs / "mcp-server-everything", "streamableHttp"],
            env={**os.environ, "PORT": "39217"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen("http://127.0.0.1:39217/mcp", timeout=1)
                except urllib.error.HTTPError:
                    break
                except OSError:
                    time.sleep(0.2)
            http_server = {"everything": {"type": "http", "url": "http://127.0.0.1:39217/mcp"}}
            told = ask(program, host, http_server, "echo", {"message": "hello"}, folder)
            assert told.strip() == "Echo: hello", told
        finally:
            everything.kill()
            everything.wait()

    subprocess.run([python, "-c", CLIENT, program, model], check=True, timeout=120)
    print("mcp: 15 checks passed")


if __name__ == "__main__":
    main(*(os.path.abspath(word) for word in sys.argv[1:3]))
