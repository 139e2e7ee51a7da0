"""OpenAI's own library against a running server: openai_client.py URL."""

import json
import math
import sys
import time
import urllib.request

import openai
from pydantic import BaseModel

MODEL = "stories"
USER = [{"role": "user", "content": "Tell me a story"}]
PARAMETERS = {
    "type": "object",
    "properties": {"open": {"type": "boolean"}},
    "required": ["open"],
    "additionalProperties": False,
}


class Dice(BaseModel):
    """Whether a number is even."""

    even: bool


def chats(client):
    reply = client.chat.completions.create(model=MODEL, messages=USER, max_tokens=20, temperature=0)
    text = reply.choices[0].message.content
    assert text and reply.choices[0].finish_reason == "length", reply
    assert reply.usage.completion_tokens == 20, reply.usage
    stream = client.chat.completions.create(
        model=MODEL, messages=USER, max_tokens=20, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 20
    told = client.chat.completions.create(
        model=MODEL, messages=USER, max_tokens=5, n=2, seed=3, logprobs=True, top_logprobs=2
    )
    assert len(told.choices) == 2 and len(told.choices[1].logprobs.content[0].top_logprobs) == 2
    line = client.completions.create(model=MODEL, prompt="One day", max_tokens=8, temperature=0, echo=True)
    assert line.choices[0].text.startswith("One day,"), line
    parsed = client.chat.completions.parse(model=MODEL, messages=USER, response_format=Dice)
    assert isinstance(parsed.choices[0].message.parsed, Dice), parsed


def tools(client):
    tool = {"type": "function", "function": {"name": "door", "parameters": PARAMETERS}}
    asked = dict(
        model=MODEL, messages=USER, tools=[tool], tool_choice="required", parallel_tool_calls=False,
        max_tokens=200, temperature=0,
    )
    message = client.chat.completions.create(**asked).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "door" and isinstance(json.loads(call.function.arguments)["open"], bool)
    with client.chat.completions.stream(**asked) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        assert done[0].name == "door" and json.loads(done[0].arguments) == json.loads(call.function.arguments)
        assert stream.get_final_completion().choices[0].finish_reason == "tool_calls"
    answer = [{"role": "tool", "tool_call_id": call.id, "content": "done"}]
    after = client.chat.completions.create(
        model=MODEL, messages=[*USER, message, *answer], tools=[tool], tool_choice="none", max_tokens=5
    )
    assert after.choices[0].message.content


def responses(client):
    asked = dict(model=MODEL, instructions="Be brief", input="Tell me a story", max_output_tokens=20, temperature=0)
    response = client.responses.create(**asked, store=False, metadata={"a": "b"})
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text and response.usage.output_tokens == 20 and response.metadata == {"a": "b"}
    with client.responses.stream(**asked) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == response.output_text, text
    assert events[-1].type == "response.incomplete"
    parsed = client.responses.parse(model=MODEL, input="Is six even?", text_format=Dice)
    assert isinstance(parsed.output_parsed, Dice), parsed
    tool = {"type": "function", "name": "door", "parameters": PARAMETERS, "strict": True}
    calling = dict(model=MODEL, tools=[tool], tool_choice="required", parallel_tool_calls=False, max_output_tokens=200)
    with client.responses.stream(**calling, input="Open the door", temperature=0) as stream:
        for event in stream:
            pass
        final = stream.get_final_response()
    (call,) = final.output
    assert call.type == "function_call" and isinstance(json.loads(call.arguments)["open"], bool), final
    items = [{"role": "user", "content": "Open the door"}, call.to_dict()]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "done"})
    after = client.responses.create(model=MODEL, tools=[tool], tool_choice="none", input=items, max_output_tokens=5)
    assert after.output_text


def embeddings(client):
    # The library asks for base64 by itself.
    vectors = client.embeddings.create(model=MODEL, input=["a fox", "a bicycle"]).data
    plain = client.embeddings.create(model=MODEL, input="a fox", encoding_format="float").data[0].embedding
    assert vectors[0].embedding == plain and vectors[1].embedding != plain
    assert math.isclose(sum(x * x for x in plain), 1, rel_tol=1e-4)
    assert len(client.embeddings.create(model=MODEL, input="a fox", dimensions=8).data[0].embedding) == 8


def refused(kind, ask, param=None):
    try:
        ask()
    except openai.APIStatusError as error:
        assert type(error) is kind, (kind, error)
        assert param is None or error.param == param, error
        return
    raise AssertionError(f"no {kind.__name__}")


def errors(client):
    chat = client.chat.completions.create
    refused(openai.BadRequestError, lambda: chat(model=MODEL, messages=USER, top_p=2), "top_p")
    refused(openai.BadRequestError, lambda: chat(model=MODEL, messages=USER, audio={"voice": "a", "format": "wav"}), "audio")
    refused(openai.BadRequestError, lambda: chat(model=MODEL, messages=[{"role": "user", "content": "word " * 9000}]))
    refused(openai.BadRequestError, lambda: client.responses.create(model=MODEL, input="a", store=True), "store")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=MODEL, input=[]), "input")
    refused(openai.NotFoundError, lambda: client.models.retrieve("no such model"))
    assert client.models.retrieve(MODEL).id == MODEL
    assert MODEL in [model.id for model in client.models.list()]


def cancel(client, url):
    stream = client.chat.completions.create(
        model=MODEL, messages=USER, max_tokens=400, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    begun = time.monotonic()
    while any(slot["is_processing"] for slot in json.load(urllib.request.urlopen(f"{url}/slots"))):
        assert time.monotonic() - begun < 2, "a reply goes on that nobody reads"
        time.sleep(0.02)


def main(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
    chats(client)
    tools(client)
    responses(client)
    embeddings(client)
    errors(client)
    cancel(client, url)


main(sys.argv[1])
