"""Code that calls a model through this gateway, ready to paste."""

import json
from dataclasses import dataclass

from django.http import HttpRequest

_QUESTION = "Explain quantum computing in simple terms"

_CURL = """\
curl -X POST {origin}/v3/router/responses \\
  -H "Authorization: Bearer $ORQ_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{body}'"""

_PYTHON = """\
import os

from openai import OpenAI

client = OpenAI(
    api_key=os.environ["ORQ_API_KEY"],
    base_url="{origin}/v3/router",
)

response = client.responses.create(
    model={model},
    input={question},
)
print(response.output_text)"""

_JAVASCRIPT = """\
import OpenAI from "openai";

const client = new OpenAI({{
  apiKey: process.env.ORQ_API_KEY,
  baseURL: "{origin}/v3/router",
}});

const response = await client.responses.create({{
  model: {model},
  input: {question},
}});
console.log(response.output_text);"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way to make the same call; ``needs`` is the command that installs what it imports."""

    slug: str
    label: str
    code: str
    needs: str = ""


def origin_of(request: HttpRequest) -> str:
    """Return where the reader's browser reached us: an address that their programs reach, too."""
    return request.build_absolute_uri("/").rstrip("/")


def request_body(model_string: str) -> str:
    """Return the JSON that the call in curl sends."""
    return json.dumps({"model": model_string, "input": _QUESTION}, indent=2)


def build_snippets(model_string: str, origin: str) -> list[Snippet]:
    """Return a call of ``model_string`` at ``origin`` (``https://host``, no slash) in curl, Python and JavaScript.

    Each reads the gateway key from the environment variable ``ORQ_API_KEY``.
    """
    body = request_body(model_string).replace("\n", "\n  ")
    values = {"origin": origin, "body": body, "model": json.dumps(model_string), "question": json.dumps(_QUESTION)}
    return [
        Snippet("curl", "curl", _CURL.format(**values)),
        Snippet("python", "Python", _PYTHON.format(**values), needs="pip install openai"),
        Snippet("javascript", "JavaScript", _JAVASCRIPT.format(**values), needs="npm install openai"),
    ]


def claude_code_snippet(model_string: str, origin: str) -> Snippet:
    """Return what points Claude Code at this gateway. Source: its documentation, "LLM gateway configuration"."""
    code = (
        f"export ANTHROPIC_BASE_URL={origin}/v3/anthropic\n"
        "export ANTHROPIC_AUTH_TOKEN=$ORQ_API_KEY\n"
        f"export ANTHROPIC_MODEL={model_string}\n"
        "claude"
    )
    return Snippet("claude-code", "Claude Code", code, needs="npm install -g @anthropic-ai/claude-code")
