#!/usr/bin/env python3
"""What jsonschema says about instances of schemas.json: writes verdicts.json.

Each accepted schema of schemas.json comes with instances. Every instance is also changed in small seeded ways
(a value replaced, a member or item dropped or doubled), so that most schemas see both answers. jsonschema
(4.26, with checks of a few formats added) decides. The test in
crates/engine/tests/grammar compares the small validator that checks generated text with these verdicts.

    pip install jsonschema==4.26.0
    python golden/schemas/make.py
"""
import copy, json, pathlib, random, re
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import validator_for

here = pathlib.Path(__file__).parent
rng = random.Random(4)
REPLACEMENTS = [None, True, False, 0, 1, -1, 7, 2.5, 1e9, "", "a", "abc", "2024-02-30", [], {}, [1], {"a": 1}]


def places(value, at=()):
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], at + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, at + (i,))


def changed(value):
    value = copy.deepcopy(value)
    at = rng.choice(list(places(value)))
    if not at:
        return rng.choice(REPLACEMENTS)
    parent = value
    for step in at[:-1]:
        parent = parent[step]
    how = rng.randrange(4)
    if how == 0:
        del parent[at[-1]]
    elif how == 1 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[at[-1]]))
    elif how == 1:
        parent[rng.choice(["zz", "x-1", "a", "b"])] = rng.choice(REPLACEMENTS)
    else:
        parent[at[-1]] = rng.choice(REPLACEMENTS)
    return value


checker = FormatChecker(formats=["date", "ipv4", "uuid"])
TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]([01]\d|2[0-3]):[0-5]\d)"


def is_date_time(text):
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d[tT]" + TIME, text)) and checker.conforms(text[:10], "date")


def expressed(rule):  # formats that jsonschema leaves to other packages, from RFC 3339 and RFC 5321
    return lambda value: not isinstance(value, str) or bool(rule(value))


checker.checks("time")(expressed(lambda text: re.fullmatch(TIME, text)))
checker.checks("date-time")(expressed(is_date_time))
checker.checks("email")(expressed(lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text)))

verdicts = []
cases = json.loads((here / "schemas.json").read_text())
for case in cases["accepted"]:
    schema = case["schema"]
    cls = validator_for(schema, default=Draft202012Validator)
    cls.check_schema(schema)
    validator = cls(schema, format_checker=checker)
    row = []
    for instance in case["instances"]:
        assert validator.is_valid(instance), (schema, instance)
        seen = [instance] + [changed(instance) for _ in range(12)]
        row += [[one, validator.is_valid(one)] for one in seen]
    verdicts.append(row)
out = ",\n".join(json.dumps(row) for row in verdicts)
(here / "verdicts.json").write_text(f"[\n{out}\n]\n")
print(sum(map(len, verdicts)), "verdicts,", sum(v for row in verdicts for _, v in row), "of them valid")
