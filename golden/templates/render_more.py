#!/usr/bin/env python3
"""Renders every chat template of this folder for the conversations of more_conversations.json: odd
roles, nested tools, parallel calls, content in parts, missing content, and the variables by which
templates switch thinking.

usage: render_more.py     (needs: pip install jinja2; writes more_expected.json)

A key of a conversation other than messages, tools and add_generation_prompt is a further template
variable. more_expected.json: {template: {conversation: {"text": ...} | {"error": ...}}}
"""
import json, pathlib
from render_snippets import environment

here = pathlib.Path(__file__).parent
conversations = json.load(open(here / "more_conversations.json"))
env, expected = environment(), {}
for path in sorted(here.glob("*.jinja")):
    rows = expected[path.name] = {}
    for name, conversation in conversations.items():
        try:
            rows[name] = {"text": env.from_string(path.read_text()).render(bos_token="<s>", eos_token="</s>", **conversation)}
        except Exception as error:
            rows[name] = {"error": str(error)}
json.dump(expected, open(here / "more_expected.json", "w"), ensure_ascii=False, indent=1)
print(sum(map(len, expected.values())), "renderings")
