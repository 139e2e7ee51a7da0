"""LiteLLM against a running server, in OpenAI's dialect: litellm_client.py URL."""

import os
import sys

# Prices are of no interest, and nothing else is asked than the server.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402


def main(url):
    base = {"api_base": f"{url}/v1", "api_key": "none", "model": "openai/stories"}
    messages = [{"role": "user", "content": "Tell me a story"}]

    reply = litellm.completion(messages=messages, max_tokens=12, temperature=0, **base)
    text = reply.choices[0].message.content
    assert text and reply.usage.completion_tokens == 12, reply

    stream = litellm.completion(messages=messages, max_tokens=12, temperature=0, stream=True, **base)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert streamed == text, (streamed, text)

    again = litellm.completion(messages=messages, max_tokens=12, seed=5, **base)
    same = litellm.completion(messages=messages, max_tokens=12, seed=5, **base)
    assert again.choices[0].message.content == same.choices[0].message.content

    try:
        litellm.completion(messages=[{"role": "user", "content": "word " * 2000}], **base)
    except litellm.ContextWindowExceededError:
        pass
    except litellm.BadRequestError as error:
        assert "exceeds the available context size" in str(error), error
    else:
        raise AssertionError("too long a prompt was taken")


main(sys.argv[1])
