"""/openapi.json against the specification of OpenAPI: openapi_client.py URL."""

import json
import sys
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator


def main(url):
    described = json.load(urllib.request.urlopen(f"{url}/openapi.json"))
    OpenAPIV31SpecValidator(described).validate()
    for path in ["/v1/chat/completions", "/completion", "/v1/responses", "/slots/{id}"]:
        assert path in described["paths"], path


main(sys.argv[1])
