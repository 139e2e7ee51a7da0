"""Anthropic's own library: anthropic_client.py URL."""

import json
import sys
import time

import anthropic
from anthropic import Anthropic

ASK = {"model": "claude-small", "max_tokens": 24, "messages": [{"role": "user", "content": "Tell a story"}]}
GREEDY = {**ASK, "temperature": 0}
DOOR = {
    "name": "door",
    "description": "Opens a door",
    "input_schema": {
        "type": "object",
        "properties": {"open": {"type": "boolean"}},
        "required": ["open"],
        "additionalProperties": False,
    },
}


def sampled(request):
    """Temperature is deprecated for Anthropic's newest models, so some versions of the library want it in `extra_body`."""
    temperature = request.pop("temperature", None)
    return {**request, "extra_body": {"temperature": temperature}} if temperature is not None else request


def chat(client):
    message = client.messages.create(**sampled(dict(GREEDY)), system="Be brief")
    assert (message.type, message.role) == ("message", "assistant"), message
    assert [block.type for block in message.content] == ["text"], message
    assert message.content[0].text.strip(), message
    assert message.stop_reason == "max_tokens", message
    assert message.usage.output_tokens == 24, message.usage
    assert message.id.startswith("msg_"), message.id
    counted = client.messages.count_tokens(model=ASK["model"], messages=ASK["messages"], system="Be brief")
    used = message.usage.input_tokens + message.usage.cache_read_input_tokens
    assert counted.input_tokens == used, (counted, message.usage)
    again = client.messages.create(**sampled(dict(GREEDY)), system="Be brief")
    assert again.content[0].text == message.content[0].text
    # The conversation goes on, with the message as it came.
    more = ASK["messages"] + [message.to_param(), {"role": "user", "content": "And then?"}]
    assert client.messages.create(**{**ASK, "messages": more}).content


def stream(client):
    whole = client.messages.create(**sampled(dict(GREEDY)))
    with client.messages.stream(**sampled(dict(GREEDY))) as events:
        texts = list(events.text_stream)
        message = events.get_final_message()
    assert len(texts) > 1, texts
    assert "".join(texts) == whole.content[0].text == message.content[0].text
    assert message.stop_reason == whole.stop_reason
    assert message.usage.output_tokens == whole.usage.output_tokens
    word = whole.content[0].text.split()[4]
    stopped = {**GREEDY, "stop_sequences": [word]}
    with client.messages.stream(**sampled(stopped)) as events:
        message = events.get_final_message()
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", word), message
    kinds = [event.type for event in client.messages.create(**ASK, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds


def tools(client):
    ask = {**ASK, "max_tokens": 200, "tools": [DOOR]}
    message = client.messages.create(**ask, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert message.stop_reason == "tool_use", message
    (call,) = message.content
    assert (call.type, call.name) == ("tool_use", "door") and isinstance(call.input["open"], bool), call
    choice = {"type": "tool", "name": "door", "disable_parallel_tool_use": True}
    with client.messages.stream(**ask, tool_choice=choice) as events:
        streamed = events.get_final_message()
    assert isinstance(streamed.content[0].input["open"], bool), streamed
    answer = {"type": "tool_result", "tool_use_id": call.id, "content": "done"}
    turns = ASK["messages"] + [message.to_param(), {"role": "user", "content": [answer]}]
    more = client.messages.create(**{**ask, "messages": turns, "max_tokens": 8}, tool_choice={"type": "none"})
    assert more.content[0].type == "text", more


def structured(client):
    schema = {
        "type": "object",
        "properties": {"n": {"enum": [1, 2]}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form = {"format": {"type": "json_schema", "schema": schema}}
    message = client.messages.create(**{**ASK, "max_tokens": 100}, output_config=form)
    assert json.loads(message.content[0].text)["n"] in (1, 2), message


def models(client):
    (model,) = client.models.list().data
    assert (model.type, model.id, model.display_name) == ("model", "stories", "stories"), model
    assert client.models.retrieve("stories").created_at.year > 2000


def errors(client):
    def refused(kind, **fields):
        try:
            client.messages.create(**{**ASK, **fields})
        except kind as error:
            assert error.body["type"] == "error", error.body
            assert error.request_id == error.body["request_id"], error
            return error.body["error"]
        raise AssertionError(f"{fields}: no error")

    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    error = refused(anthropic.BadRequestError, messages=[{"role": "user", "content": [image]}])
    assert error["type"] == "invalid_request_error" and "messages[0].content[0]" in error["message"], error
    error = refused(anthropic.BadRequestError, messages=[{"role": "user", "content": "word " * 600}])
    assert error["message"].startswith("prompt is too long"), error
    refused(anthropic.BadRequestError, max_tokens=0)
    try:
        client.post("/v1/messages/batches", body={}, cast_to=object)
        raise AssertionError("there are no batches")
    except anthropic.NotFoundError as error:
        assert error.body["error"]["type"] == "not_found_error", error.body


def cancel(client):
    """Streams that are left make room: many more than there are places for."""
    begun = time.monotonic()
    for _ in range(30):
        long = {**ASK, "max_tokens": 400}
        with client.messages.create(**long, stream=True, extra_body={"ignore_eos": True}) as events:
            for event in events:
                if event.type == "content_block_delta":
                    break
    assert client.messages.create(**ASK).content
    assert time.monotonic() - begun < 60


def main(url):
    client = Anthropic(base_url=url, api_key="none", max_retries=5, timeout=60)
    for test in [chat, stream, tools, structured, models, errors, cancel]:
        test(client)
        print(f"anthropic {anthropic.__version__}: {test.__name__}")


main(sys.argv[1])
