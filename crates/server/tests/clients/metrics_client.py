"""Prometheus' own parsers on /metrics: metrics_client.py URL."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus


def main(url):
    body = json.dumps({"prompt": "One day", "max_tokens": 5}).encode()
    urllib.request.urlopen(f"{url}/v1/completions", body).read()
    text = urllib.request.urlopen(f"{url}/metrics").read().decode()
    samples = {}
    for family in openmetrics(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    # Schedulers read the older format.
    older = {sample.name for family in prometheus(text) for sample in family.samples}
    for name in ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "cache_config_info"]:
        (sample,) = samples[f"vllm:{name}"]
        assert sample.labels["model_name"] == "stories", sample
        assert f"vllm:{name}" in older
    (info,) = samples["vllm:cache_config_info"]
    assert int(info.labels["block_size"]) > 0 and int(info.labels["num_gpu_blocks"]) > 0
    (tokens,) = samples["ingle_generated_tokens_total"]
    assert tokens.value >= 5, tokens
    for name in ["time_to_first_token_seconds", "inter_token_latency_seconds", "e2e_request_latency_seconds"]:
        assert samples[f"vllm:{name}_count"][0].value > 0, name


main(sys.argv[1])
