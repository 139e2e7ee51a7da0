#!/usr/bin/env python3
"""Renders small templates with Jinja2 as Hugging Face sets it up, one per feature that chat templates
use, and writes the exact results as JSON.

usage: render_snippets.py OUT.json     (needs: pip install jinja2)

OUT.json: [{"template": ..., "text": ...} | {"template": ..., "error": ...}]; every template sees
the variables of VARIABLES.
"""
import datetime, json, sys
from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "s": "  Hello, World's \"x\"\n", "empty": "", "words": "one two  three", "csv": "a,b,,c", "uni": "Grüße — 你好 🎉",
    "n": 7, "neg": -3, "zero": 0, "f": 2.5, "big": 1e16, "small": 1e-5, "third": 0.1, "whole": 3.0, "t": True, "none": None,
    "l": [3, 1, 2], "names": ["bob", "Alice", "carol"], "nested": [[1, 2], [3], []], "mixed": [1, "a", None, True, 2.0, {"k": [1]}],
    "d": {"b": 1, "a": {"x": [1, 2]}, "items": "shadow", "c\"'": None}, "users": [
        {"name": "Bob", "age": 30, "tags": ["x"]}, {"name": "alice", "age": 25}, {"name": "Carl", "age": 30, "active": True}],
}
SNIPPETS = r'''
{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip() }}|{{ "xxaxx".strip("x") }}|{{ "abcba".rstrip("ab") }}
{{ csv.split(",") }} {{ csv.split(",", 1) }} {{ csv.rsplit(",", 1) }} {{ words.split() }} {{ words.split(None, 1) }} {{ "".split() }} {{ "".split(",") }}
{{ words.split(" ") }} {{ "a\nb\r\nc".splitlines() }} {{ "a\nb\n".splitlines(true) }} {{ words.rsplit(None, 1) }}
{{ words.startswith("one") }} {{ words.endswith(("x", "three")) }} {{ "one" in words }} {{ "zz" not in words }}
{{ words.replace("o", "0") }} {{ words.replace("o", "0", 1) }} {{ words|replace("two", 2) }} {{ "aaa".replace("", "-") }}
{{ words.upper() }} {{ words.title() }} {{ words|title }} {{ words.capitalize() }} {{ "ABC".lower() }} {{ "aBc".swapcase() }}
{{ words.find("two") }} {{ words.find("q") }} {{ words.count("o") }} {{ "x".join(names) }} {{ words.index("two") }} {{ words.rfind("e") }}
{{ "abc".isalpha() }} {{ "12".isdigit() }} {{ "a1".isalnum() }} {{ " ".isspace() }} {{ "".isdigit() }} {{ "Ab".isupper() }} {{ "AB".isupper() }}
{{ "pre-x".removeprefix("pre-") }} {{ "a-b-c".partition("-") }} {{ "a-b-c".rpartition("-") }} {{ "5".zfill(3) }} {{ "-5".zfill(4) }} [{{ "a".center(4) }}] [{{ "ab".center(5) }}] [{{ "a".ljust(3) }}] [{{ "a".rjust(3, "*") }}]
{{ "{} and {}".format(n, "x") }} {{ "{0}-{1}-{0}".format("a", "b") }} {{ "{:.2f}".format(f) }} {{ "{name}".format(name="z") }} {{ "{:>5}|{:<4}|{:03d}".format("a", "b", 7) }}
{{ "%s is %d" % ("a", 3) }} {{ "%.2f" % f }} {{ "%s" % l }} {{ "%s" % none }} {{ "%5s|%-4s|%03d" % ("a", "b", 7) }} {{ "%s %s"|format("a", true) }}
{{ s[2:7] }} {{ s[-1:] == "\n" }} {{ words[0] }} {{ words[-1] }} {{ words[::-1] }} {{ words[::2] }} {{ uni[-1] }} {{ uni[:5] }} {{ words[5:2] }}[{{ words[100] }}]
{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[5:] }} {{ l[-2:] }} {{ l[::-2] }} {{ nested[0][1] }} [{{ l[9] }}] {{ l[9] is defined }}
{{ l }} {{ names }} {{ mixed }} {{ d }} {{ (1, "a") }} {{ (1,) }} {{ () }} {{ {} }} {{ [] }}
{{ t }} {{ none }} {{ n }} {{ f }} {{ big }} {{ small }} {{ third }} {{ whole }} {{ 1e15 }} {{ 123456789.125 }} {{ 0.0001 }} {{ 1.5e300 }} [{{ missing }}]
{{ "it's" }} {{ ["it's", 'q"', "a'\"b", "tab\t", "nul\x00", "ü", "\u200b"] }} {{ ["back\\slash"] }}
{{ n + 1 }} {{ n - 10 }} {{ n * 2 }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ neg // 2 }} {{ neg % 4 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ f * 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 6 / 3 }} {{ -n }}
{{ "a" + "b" }} {{ "a" ~ 1 ~ none ~ true }} {{ "ab" * 3 }} {{ 2 * "xy" }} {{ [0] * 3 }} {{ l + [4] }} {{ "x" * 0 }} {{ (1,) + (2,) }} {{ true + 1 }}
{{ 1 == 1.0 }} {{ "a" < "b" }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 }} {{ true == 1 }} {{ "1" == 1 }} {{ none == missing }} {{ l == [3, 1, 2] }} {{ d == {} }} {{ [1, 2] < [1, 3] }} {{ 1 != 2 }}
{{ 1 in l }} {{ "b" in d }} {{ "z" in d }} {{ "a" in names }} {{ none in mixed }} {{ 1 in missing }} {{ 3 not in l }} {{ [1] in [[1]] }}
{{ "yes" if t else "no" }} {{ "yes" if none }} {{ t and "x" }} {{ none or "y" }} {{ not t }} {{ empty or zero or "z" }} {{ 1 and 2 or 3 }}
{{ d.b }} {{ d["b"] }} {{ d.a.x[1] }} {{ d.get("b") }} {{ d.get("q") }} {{ d.get("q", "dflt") }} {{ d["q"] is defined }} {{ d.items() | list | length }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in d %}{{ k }},{% endfor %}{{ d.keys() | list }} {{ d.values() | list }} {{ d | list }} {{ d | length }} {{ d["items"] }}
{% for k, v in d | dictsort %}{{ k }},{% endfor %} {{ {"B": 1, "a": 2} | dictsort }} {{ {"x": 2, "y": 1} | dictsort(by="value") }} {{ {"a": 1} | items | list }}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }} {{ loop.previtem }}>{{ loop.nextitem }};{% endfor %}
{% for x in [] %}a{% else %}none{% endfor %} {% for x in l if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %} {% for c in "añb" %}{{ c }}.{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{ a }}-{{ b }} {% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %} {{ range(3) | list }} {{ loop is defined }}
{% for x in nested recursive %}[{{ loop(x) if x is iterable and x is not string else x }}]{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle("a", "b") }} {% endfor %}
{% set ns = namespace(i=0, found=false) %}{% for x in l %}{% set ns.i = ns.i + x %}{% if x == 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.i }} {{ ns.found }}
{% set x = 1 %}{% for i in l %}{% set x = i %}{% endfor %}{{ x }} {% if true %}{% set y = 5 %}{% endif %}{{ y }} {% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set block %}captured {{ n }}{% endset %}[{{ block }}] {% set up | upper %}shout{% endset %}{{ up }} {% filter upper %}abc{% endfilter %} {% with q = 3 %}{{ q }}{% endwith %}
{% macro m(a, b=2, c="x") %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c="y") }} {{ m("z", 3) }} {{ m() }}
{% macro outer() %}<{{ caller() }}>{% endmacro %}{% call outer() %}in{% endcall %} {% macro fact(n) %}{{ 1 if n <= 1 else n * (fact(n - 1) | int) }}{% endmacro %}{{ fact(5) }}
{{ l | sort }} {{ names | sort }} {{ names | sort(case_sensitive=true) }} {{ l | sort(reverse=true) }} {{ users | sort(attribute="age") | map(attribute="name") | list }} {{ users | sort(attribute="age,name") | map(attribute="name") | join(",") }}
{{ l | first }} {{ l | last }} {{ [] | first }} {{ "abc" | first }} {{ l | length }} {{ l | count }} {{ "añ" | length }} {{ l | sum }} {{ users | sum(attribute="age") }} {{ l | min }} {{ l | max }} {{ names | max }}
{{ l | join(", ") }} {{ mixed | join("|") }} {{ users | join(", ", attribute="name") }} {{ l | reverse | list }} {{ "abc" | reverse }} {{ [1, 1, 2, "A", "a"] | unique | list }}
{{ users | map(attribute="name") | list }} {{ users | map(attribute="active", default=false) | list }} {{ names | map("upper") | list }} {{ [" a "] | map("trim") | list }} {{ l | map("string") | list }} {{ names | map("replace", "b", "B") | list }}
{{ l | select("odd") | list }} {{ l | reject("odd") | list }} {{ [0, 1, ""] | select | list }} {{ users | selectattr("age", "equalto", 30) | map(attribute="name") | list }} {{ users | selectattr("active") | list | length }} {{ users | rejectattr("active", "defined") | map(attribute="name") | list }} {{ users | selectattr("name", "in", ["Bob"]) | list | length }}
{% for g, us in users | groupby("age") %}{{ g }}:{{ us | map(attribute="name") | join(",") }};{% endfor %} {{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, "-") | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }}
{{ none | selectattr("a") | list }} {{ none | map("upper") | list }} {{ 0 | reject("odd") | list }} {{ "ab" | select("in", "a") | list }}
{{ "<a>" | safe + "<b>" }} {{ "<a>" + "<b>" | safe + "<c>" }} {{ "<a>" | safe ~ "<b>" }} {{ "<" | e + "&" }} {{ "<" | escape | e }} {{ "<a>" | safe }} {{ [1] | safe + "'" }}
{{ missing | default("d") }} {{ none | default("d") }} {{ none | default("d", true) }} {{ empty | d("e", boolean=true) }} {{ missing | default }}!
{{ "3" | int }} {{ "x" | int }} {{ "x" | int(5) }} {{ "3.7" | int }} {{ 3.9 | int }} {{ "ff" | int(base=16) }} {{ "2.5" | float }} {{ "x" | float }} {{ 3 | float }} {{ neg | abs }} {{ true | int }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.345 | round(2) }} {{ 2.1 | round(method="ceil") }} {{ 2.9 | round(0, "floor") }} {{ 7 | round }} {{ 1234.5 | round(-2) }}
{{ "  x " | trim }}| {{ "xaax" | trim("x") }} {{ 5 | string ~ "a" }} {{ "abc" | upper }} {{ "hello world" | capitalize }} {{ "a b c" | wordcount }} {{ "hello big world" | truncate(8) }} {{ "hello big world" | truncate(9, true, leeway=0) }} [{{ "a" | center(5) }}]
{{ "a\nb\n\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent(">") }}|{{ "a\n" | indent }}|
{{ d | tojson }} {{ mixed | tojson }} {{ uni | tojson }} {{ "</a>&'" | tojson }} {{ big | tojson }} {{ whole | tojson }} {{ none | tojson }} {{ "a\"\\\n\t\x01" | tojson }} {{ {1: 2, none: 3, false: 4} | tojson }} {{ () | tojson }}
{{ d | tojson(indent=2) }} {{ [] | tojson(indent=2) }} {{ {"a": {}} | tojson(indent=4) }} {{ l | tojson(separators=(",", ":")) }} {{ d | tojson(sort_keys=true) }} {{ uni | tojson(ensure_ascii=true) }} {{ "🎉" | tojson(ensure_ascii=true) }} {{ l | tojson(indent="\t") }}
{{ s is string }} {{ n is number }} {{ n is integer }} {{ f is float }} {{ t is boolean }} {{ t is number }} {{ t is integer }} {{ l is sequence }} {{ s is sequence }} {{ d is mapping }} {{ d is iterable }} {{ d is sequence }} {{ n is iterable }} {{ none is none }} {{ missing is defined }} {{ missing is undefined }}
{{ missing is none }} {{ missing is string }} {{ missing is iterable }} {{ missing is mapping }} {{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ n is gt 3 }} {{ n is eq(7) }} {{ "a" is in "abc" }} {{ t is true }} {{ 1 is true }} {{ f is sameas f }} {{ "abc" is lower }} {{ m is callable }} {{ range is callable }}
{{ missing == none }} {{ missing == "" }} {{ not missing }} {{ missing ~ "x" }} {% for x in missing %}a{% endfor %}{{ missing | length }} {{ missing | list }} {{ missing | join }}
{{ dict(a=1, b=2) }} {{ dict([("x", 1)]) }} {{ namespace(a=1).a }} {{ {"a": 1, "b": {"c": 2}}.b.c }} {{ {1: "x"}[1] }} {{ {"k": 1}.get("k") }}
{{ strftime_now("%d %b %Y") }} {{ strftime_now("%Y-%m-%d %H:%M:%S %A %j") }} {{ strftime_now("%-d %B %y %I %p") }}
a {%- if true %} b {%- endif %} c {{- " d " -}} e {#- note -#} f
{% raw %}{{ not rendered }}{% endraw %} {# comment #} {{ "{{ literal }}" }} {{ '%}' }}
{% generation %}answer{% endgeneration %} {%- generation -%}  tight  {%- endgeneration %}
{{ 'a' 'b' }} {{ "\u00e9\x41\101" }} {{ "tab\there" }} {{ 'sq\'s' }}
{{ raise_exception("no " ~ n) }}
{{ missing.attr }}
{{ none.attr is defined }} {{ d.q is defined }} {{ d.q.r }}
{{ d.q + "x" }}
{{ missing + 1 }}
{{ "a" + 1 }}
{{ 1 + "a" }}
{{ l + "a" }}
{{ 1 / 0 }}
{{ "a" < 1 }}
{{ 1 in 2 }}
{{ 5 | length }}
{{ l.append(4) }}
{% set _ = d.update({"z": 1}) %}
{{ d.pop("b") }}
{{ s.nomethod() }}
{{ n() }}
{{ nofunction(1) }}
{{ l | nofilter }}
{{ l is notest }}
{% for x in 5 %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{{ missing[0] }}
{{ missing[1:] }}
{{ missing | tojson }}
{% set n.x = 1 %}
{{ none | join(",") }}
{{ [3, "a"] | sort }}
{{ "abc"["x"] is defined }} {{ l["x"] is defined }} {{ l.x is defined }} {{ n.x is defined }}
{% if x is defined and x.y %}a{% elif l | length == 3 %}three{% else %}b{% endif %}
{% macro show(v, depth=0) %}{% if v is mapping %}{% for k, w in v.items() %}{{ "  " * depth }}{{ k }}: {{ show(w, depth + 1) }}{% endfor %}{% else %}{{ v }}{{ "\n" }}{% endif %}{% endmacro %}{{ show({"a": {"b": 1}, "c": 2}) }}
{{ (users | first).name }} {{ users[0]["name"] }} {{ users | map(attribute="tags.0", default="-") | list }} {{ users[-1].age }} {{ (l | sort)[0] }} {{ "abc"[1] }} {{ "%s"|format(l[0]) }}
{{ l is not none and l | length > 2 and not (d is string) }} {{ not l is none }} {{ 2 * 3 + 4 ** 2 // 3 - 1 }} {{ -2 ** 2 }} {{ 1 ~ 2 * 3 }} {{ ("a" ~ 1) + "2" }}
'''.strip("\n").split("\n")
# Some templates are about line structure and hold newlines themselves.
MULTILINE = [
    "  {% if true %}  \n  lstrip\n  {% endif %}\nend\n",
    "{% for x in l %}\n  {{ x }}\n{% endfor %}\n\n\nend\n\n",
    "{% for x in l -%}\n  {{ x }}\n{%- endfor %}\n",
    "a\r\nb\r\n{% if true %}\r\nc{% endif %}\r\n",
    "    {# comment #}\n  {% set x = 1 %}  \n\t{% if x %}\nyes\n\t{% endif %}\n",
    "{% macro m() %}\nbody\n{% endmacro %}\n{{ m() }}\n{%+ if true +%}\n plus {% endif %}",
    "{{ '''a''' }}\n{% generation %}\nanswer\n{% endgeneration %}\nafter\n",
    "{{ \"line one\nline two\" }}",
]

class Generation(Extension):
    """The tag of Hugging Face; its body is rendered as it is."""
    tags = {"generation"}
    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)
    def _body(self, caller):
        return caller()

def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    def raise_exception(message):
        raise TemplateError(message)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime(2026, 1, 2, 3, 4, 5).strftime(f)
    return env

def main():
    env, rows = environment(), []
    for template in SNIPPETS + MULTILINE:
        try:
            rows.append({"template": template, "text": env.from_string(template).render(**VARIABLES)})
        except Exception as error:
            rows.append({"template": template, "error": str(error)})
    json.dump({"variables": VARIABLES, "snippets": rows}, open(sys.argv[1], "w"), ensure_ascii=False, indent=1)
    print(f"{len(rows)} snippets, {sum('error' in row for row in rows)} refused")

if __name__ == "__main__":
    main()
