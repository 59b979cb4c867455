"""Run the simulator by itself, or make a credential for it.

.venv/bin/python -m simulator --port 8009
.venv/bin/python -m simulator aws-key acme
.venv/bin/python -m simulator google-key acme --fails overloaded > key.json
"""

import argparse
import json

from simulator.aws_keys import make_access_key
from simulator.google_keys import TOKEN_URI, make_service_account
from simulator.instructions import KEY_ENDINGS
from simulator.pace import INSTANT, NATURAL
from simulator.server import DEFAULT_PORT, serve


def main() -> None:
    """Read the options and do what they say."""
    options = _parser().parse_args()
    if options.command == "aws-key":
        key_id, secret = make_access_key(options.organisation, options.fails)
        print(json.dumps({"access_key_id": key_id, "secret_access_key": secret}, indent=2))
    elif options.command == "google-key":
        account = make_service_account(
            options.organisation, project_id=options.project, ending=options.fails, token_uri=options.token_uri
        )
        print(json.dumps(account, indent=2))
    else:
        serve(port=options.port, pace=INSTANT if options.instant else NATURAL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="Providers to run against.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--instant", action="store_true", help="answer at once instead of at a model's pace")
    credential = argparse.ArgumentParser(add_help=False)
    credential.add_argument("organisation", nargs="?", default="acme", help="who shares prompt cache and limits")
    credential.add_argument("--fails", choices=sorted(KEY_ENDINGS), default="", help="how its calls fail")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("aws-key", parents=[credential], help="print an access key")
    google = commands.add_parser("google-key", parents=[credential], help="print a service account's key file")
    google.add_argument("--project", default="simulated-project")
    google.add_argument("--token-uri", default=TOKEN_URI)
    return parser


if __name__ == "__main__":
    main()
