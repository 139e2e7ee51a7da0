"""LangChain's OpenAI classes against a running server: langchain_client.py URL."""

import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


@tool
def door(open: bool) -> str:
    """Opens or shuts the door."""
    return "done"


class Number(BaseModel):
    """A number of a die."""

    even: bool


def main(url):
    chat = ChatOpenAI(base_url=f"{url}/v1", api_key="none", model="stories", max_tokens=20, temperature=0)

    reply = chat.invoke("Tell me a story")
    assert reply.content, reply
    assert reply.usage_metadata["output_tokens"] == 20, reply.usage_metadata
    assert reply.response_metadata["finish_reason"] == "length"

    pieces = [piece for piece in chat.stream("Tell me a story")]
    assert len(pieces) > 3, pieces
    assert "".join(piece.content for piece in pieces) == reply.content

    batch = chat.batch(["Tell me a story", "Tell me a story"])
    assert [answer.content for answer in batch] == [reply.content] * 2

    longer = ChatOpenAI(base_url=f"{url}/v1", api_key="none", model="stories", max_tokens=200)
    calling = longer.bind_tools([door], tool_choice="required")
    answer = calling.invoke("Open the door")
    assert answer.tool_calls and answer.tool_calls[0]["name"] == "door", answer
    assert isinstance(answer.tool_calls[0]["args"]["open"], bool)

    structured = longer.with_structured_output(Number, method="json_schema")
    assert isinstance(structured.invoke("Is six even?"), Number)


main(sys.argv[1])
