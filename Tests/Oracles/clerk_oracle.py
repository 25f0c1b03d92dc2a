"""Clerk's own library as the judge: of our development tokens, and of our stand-in's API.

usage: clerk_oracle.py verify PEM < token         prints the user
       clerk_oracle.py metadata URL USER          sets a plan, prints the metadata that the answer has
"""
import json
import sys

from clerk_backend_api import Clerk
from clerk_backend_api.security.types import VerifyTokenOptions
from clerk_backend_api.security.verifytoken import verify_token


def verify(pem):
    print(verify_token(sys.stdin.read().strip(), VerifyTokenOptions(jwt_key=pem))["sub"])


def metadata(url, user):
    with Clerk(bearer_auth="sk_test_oracle", server_url=url + "/v1") as clerk:
        answer = clerk.users.update_metadata(user_id=user, public_metadata={"plan": "paid"})
        print(json.dumps(answer.public_metadata, sort_keys=True))


{"verify": verify, "metadata": metadata}[sys.argv[1]](*sys.argv[2:])
