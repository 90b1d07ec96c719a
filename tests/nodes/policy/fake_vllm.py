"""Stands for the `vllm` command: the same arguments, the same protocol, real HTTP; no model."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

NOTES = Path(os.environ["FAKE_VLLM"])  # a folder: what it was told, whom it started; `mode` says how it behaves
MODE = (NOTES / "mode").read_text() if (NOTES / "mode").exists() else ""


def arguments() -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb")
    parser.add_argument("folder")
    for name in ("host", "port", "served-model-name", "dtype", "seed", "limit-mm-per-prompt", "generation-config"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--logprobs-mode", choices=["raw_logprobs", "processed_logprobs"], required=True)
    return vars(parser.parse_args())


def answer(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    content = asked["messages"][0]["content"]
    pictures = sum(part["type"] == "image_url" for part in content)
    if MODE == "short":
        return 400, {"error": {"message": "This model's maximum context length is 8 tokens."}}
    words = [f"seed{asked['seed']}", f"pictures{pictures}"]
    choices = []
    for number in range(asked.get("n", 1)):
        said = [*words, str(number)][: asked["max_tokens"]]
        logprobs = {"content": [{"token": word, "logprob": -0.5 * (number + 1)} for word in said]}
        reason = "length" if len(said) == asked["max_tokens"] else "stop"
        choices.append({"message": {"content": " ".join(said)}, "finish_reason": reason, "logprobs": logprobs})
    return 200, {"choices": choices}


class Handler(http.server.BaseHTTPRequestHandler):
    begun = time.monotonic()

    def do_GET(self) -> None:
        self.reply(200 if time.monotonic() - self.begun > 0.3 else 503, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(NOTES / f"asked-{os.getpid()}", "a") as file:
            file.write(json.dumps({**asked, "messages": None}) + "\n")
        self.reply(*answer(asked))

    def reply(self, status: int, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


def main() -> None:
    told = arguments()
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # as an engine core is
    files = sorted(os.listdir(told["folder"]))
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    key = os.environ.get("VLLM_API_KEY")
    facts = {**told, "key": key, "pids": [os.getpid(), helper.pid], "files": files, "gpu": gpu}
    (NOTES / f"told-{os.getpid()}.json").write_text(json.dumps(facts))
    if MODE == "crashes":  # what it started goes on
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGKILL)).start()
    if MODE == "dies":
        print("ValueError: no kernel image is available for this GPU", file=sys.stderr)
        helper.kill()
        sys.exit(3)
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "never":
        time.sleep(600)
    http.server.ThreadingHTTPServer((told["host"], int(told["port"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
