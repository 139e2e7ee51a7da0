"""Ollama's own library: ollama_client.py URL."""

import asyncio
import json
import sys
import time
import urllib.request

import ollama

NAME = "stories:latest"
ASK = {"model": NAME, "messages": [{"role": "user", "content": "Tell a story"}]}
GREEDY = {"temperature": 0, "num_predict": 24}


def chat(client):
    whole = client.chat(**ASK, options=GREEDY)
    assert whole.done and whole.done_reason == "length", whole
    assert whole.message.role == "assistant" and whole.message.content.strip(), whole
    assert whole.eval_count == 24 and whole.prompt_eval_count > 0, whole
    for field in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"]:
        assert isinstance(whole[field], int), field
    pieces = list(client.chat(**ASK, options=GREEDY, stream=True))
    assert len(pieces) > 2 and [piece.done for piece in pieces[:-1]] == [False] * (len(pieces) - 1)
    assert "".join(piece.message.content for piece in pieces) == whole.message.content
    assert pieces[-1].done and pieces[-1].eval_count == 24, pieces[-1]
    scored = client.chat(**ASK, options=GREEDY, logprobs=True, top_logprobs=2)
    assert len(scored.logprobs) == 24 and len(scored.logprobs[0].top_logprobs) == 2, scored.logprobs
    stopped = client.chat(**ASK, options={**GREEDY, "stop": whole.message.content.split()[4]})
    assert stopped.done_reason == "stop", stopped


def generate(client):
    whole = client.generate(NAME, "One day", options=GREEDY)
    assert whole.response and whole.context, whole
    pieces = list(client.generate(NAME, "One day", options=GREEDY, stream=True))
    assert "".join(piece.response for piece in pieces) == whole.response
    assert pieces[-1].context == whole.context
    more = client.generate(NAME, "And then", context=whole.context, options=GREEDY)
    assert more.prompt_eval_count > len(whole.context), more
    assert more.context[: len(whole.context)] == whole.context
    raw = client.generate(NAME, "One day", raw=True, options=GREEDY)
    assert raw.response.startswith(", a little girl named Lily"), raw
    assert raw.context is None


def tools(client):
    def door(open: bool) -> str:
        """Opens a door.

        Args:
          open: whether it shall be open
        """
        return str(open)

    # The model may call it or not; what it calls must be the tool.
    answer = client.chat(**ASK, tools=[door], options={"num_predict": 60, "seed": 1})
    for call in answer.message.tool_calls or []:
        assert call.function.name == "door" and isinstance(call.function.arguments["open"], bool), call
    turns = ASK["messages"] + [
        {"role": "assistant", "tool_calls": [{"function": {"name": "door", "arguments": {"open": True}}}]},
        {"role": "tool", "tool_name": "door", "content": "True"},
    ]
    assert client.chat(NAME, turns, tools=[door], options=GREEDY).message.content


def structured(client):
    schema = {
        "type": "object",
        "properties": {"n": {"enum": [1, 2]}},
        "required": ["n"],
        "additionalProperties": False,
    }
    answer = client.chat(**ASK, format=schema, options={"num_predict": 100})
    assert json.loads(answer.message.content)["n"] in (1, 2), answer
    answer = client.generate(NAME, "A number", format=schema, options={"num_predict": 100})
    assert json.loads(answer.response)["n"] in (1, 2), answer


def embeddings(client):
    answer = client.embed(NAME, ["a fox", "a bicycle"])
    first, second = answer.embeddings
    assert len(first) == len(second) and first != second
    assert abs(sum(x * x for x in first) - 1) < 1e-3
    assert answer.prompt_eval_count > 4, answer
    assert client.embed(NAME, "a fox").embeddings[0] == first
    short = client.embed(NAME, "a fox", dimensions=8).embeddings[0]
    assert len(short) == 8 and abs(sum(x * x for x in short) - 1) < 1e-3
    assert len(client.embeddings(NAME, "a fox").embedding) == len(first)
    assert refused(lambda: client.embed(NAME, "word " * 600)).status_code == 400
    assert client.embed(NAME, "word " * 600, truncate=True).embeddings


def models(client):
    (tag,) = client.list().models
    assert tag.model == "stories" and tag.details.family == "llama", tag
    assert tag.details.quantization_level == "F32" and tag.size > 1_000_000 and len(tag.digest) == 64, tag
    shown = client.show(NAME)
    assert shown.modelinfo["general.architecture"] == "llama", shown
    assert shown.modelinfo["llama.block_count"] > 0
    assert shown.details.parameter_size.endswith("K"), shown.details
    assert set(shown.capabilities) >= {"completion", "tools"}, shown.capabilities
    assert "message.role" in shown.template and shown.modelfile.startswith("FROM ")
    # Long from now, soon, never.
    client.generate(NAME, keep_alive="1h")
    (loaded,) = client.ps().models
    left = loaded.expires_at.timestamp() - time.time()
    assert 3500 < left <= 3600, loaded
    assert loaded.size > 0 and loaded.context_length > 0, loaded
    client.generate(NAME, "One day", options=GREEDY, keep_alive=0.2)
    begun = time.monotonic()
    while client.ps().models:
        assert time.monotonic() - begun < 10, "it is not unloaded"
        time.sleep(0.05)
    assert client.generate(NAME, keep_alive=-1).done_reason == "load"
    (loaded,) = client.ps().models
    assert loaded.expires_at.year > 2100, loaded
    assert client.generate(NAME, keep_alive=0).done_reason == "unload"
    assert not client.ps().models


def refused(call):
    try:
        call()
    except ollama.ResponseError as error:
        return error
    raise AssertionError("no error")


def errors(client):
    cases = [
        (lambda: client.chat(NAME, [{"role": "user", "content": "word " * 600}]), 400, "exceeds"),
        (lambda: client.chat(NAME, [{"role": "robot", "content": "x"}]), 400, "role"),
        (lambda: client.chat(**ASK, options={"num_ctx": 1_000_000}), 400, "num_ctx"),
        (lambda: client.chat(**ASK, think=True), 400, "thinking"),
        (lambda: client.chat(NAME, [{"role": "user", "content": "x", "images": [b"x"]}]), 400, "images"),
        (lambda: client.generate(NAME, "def f(", suffix="return"), 400, "suffix"),
        (lambda: client.generate(NAME, "x", template="{{ .Prompt }}"), 400, "template"),
        (lambda: client.generate(NAME, "x", options={"top_p": 7}), 400, "top_p"),
        (lambda: client.pull("./models"), 400, "name"),
        (lambda: client.delete("no/such"), 404, "no/such"),
        (lambda: client.copy("a", "b"), 501, "makes no models"),
    ]
    for call, status, text in cases:
        error = refused(call)
        assert error.status_code == status and text in error.error, (status, text, error)
    error = refused(lambda: list(client.chat(**ASK, options={"num_ctx": 1_000_000}, stream=True)))
    assert error.status_code == 400, error


def cancel(client):
    """Streams that are left make room: many more than there are places for."""
    for _ in range(30):
        pieces = client.chat(**ASK, options={"num_predict": 400, "ignore_eos": True}, stream=True)
        next(pieces)
        pieces.close()
    assert client.chat(**ASK, options=GREEDY).message.content


async def asynchronous(url):
    client = ollama.AsyncClient(url, timeout=60)
    text = ""
    async for piece in await client.chat(**ASK, options=GREEDY, stream=True):
        text += piece.message.content
    assert text
    answers = await asyncio.gather(*(client.chat(**ASK, options=GREEDY) for _ in range(8)))
    assert {answer.message.content for answer in answers} == {text}


def ready(url):
    begun = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(f"{url}/health").read()
            return
        except OSError:
            assert time.monotonic() - begun < 60, "the server is not ready"
            time.sleep(0.1)


def main(url):
    ready(url)
    client = ollama.Client(url, timeout=60)
    for test in [chat, generate, tools, structured, embeddings, models, errors, cancel]:
        test(client)
        print(f"ollama: {test.__name__}")
    asyncio.run(asynchronous(url))
    print("ollama: asynchronous")


main(sys.argv[1])
