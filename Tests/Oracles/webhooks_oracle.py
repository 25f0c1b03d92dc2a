"""The library of Standard Webhooks as the judge of our signatures.

usage: webhooks_oracle.py SECRET < messages     one JSON object a line, {"headers": {...}, "body": "..."}; prints how
                                                many are good, and each one that is not
"""
import json
import sys

from standardwebhooks.webhooks import Webhook

webhook = Webhook(sys.argv[1])
good = 0
for line in sys.stdin:
    message = json.loads(line)
    try:
        webhook.verify(message["body"], message["headers"])
        good += 1
    except Exception as error:
        print(f"{message['headers'].get('webhook-id')}: {error!r}")
print(good)
