"""Requests made up from /openapi.json, right and wrong ones, to every path: schemathesis_client.py URL.

No answer may be a fault of the server's (500), be of a status or type that is not described, or not have the form that is
described. What a server or a model cannot do (501, 503) is no fault.
"""

import os
import pathlib
import subprocess
import sys

import schemathesis

CHECKS = [
    "no_fault",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]

# One goes on as long as somebody listens, one fetches what it is told to, one removes it.
LEFT_OUT = ["/models/sse", "/api/pull", "/api/delete"]

SECONDS = 60


@schemathesis.check
def no_fault(ctx, response, case):
    assert response.status_code != 500, f"a fault of the server's: {response.text}"


@schemathesis.hook
def before_call(ctx, case, kwargs):
    # What is asked for must end: other clients wait.
    if isinstance(case.body, dict):
        options = case.body.get("options")
        for fields in [case.body, options if isinstance(options, dict) else {}]:
            for name in ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict", "num_predict", "n", "n_cmpl", "best_of"]:
                if isinstance(fields.get(name), int) and fields[name] > 4:
                    fields[name] = 4


def main(url):
    here = pathlib.Path(__file__)
    command = [pathlib.Path(sys.executable).parent / "schemathesis", "run", f"{url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
    command += ["--max-time", str(SECONDS), "--seed", "7", "--no-shrink", "--generation-deterministic"]
    command += ["--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"]
    for path in LEFT_OUT:
        command += ["--exclude-path", path]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": here.stem, "PYTHONPATH": str(here.parent)}
    sys.exit(subprocess.run(command, env=environment).returncode)


if __name__ == "__main__":
    main(sys.argv[1])
