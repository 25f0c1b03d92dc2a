"""Stripe's own library as the judge: of our signatures, of its signatures, and of our stand-in's API.

usage: stripe_oracle.py sign SECRET < body          prints the Stripe-Signature header
       stripe_oracle.py verify SECRET HEADER < body prints the id of the event
       stripe_oracle.py checkout URL                makes a checkout session and a portal session, prints their URLs
"""
import sys

import stripe


def sign(secret):
    payload = sys.stdin.buffer.read().decode()
    print(stripe.WebhookSignature.generate_signature_header(payload, secret))


def verify(secret, header):
    event = stripe.Webhook.construct_event(sys.stdin.buffer.read(), header, secret)
    print(event.id)


def checkout(url):
    client = stripe.StripeClient("sk_test_oracle", base_addresses={"api": url})
    metadata = {"userId": "user_abc", "tier": "paid"}
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": "price_paid", "quantity": 1}],
            "success_url": "https://app.example.com/dashboard?payment=success",
            "cancel_url": "https://app.example.com/dashboard?payment=cancelled",
            "client_reference_id": "user_abc",
            "metadata": metadata,
            "subscription_data": {"metadata": metadata},
        },
        {"idempotency_key": "checkout-1"},
    )
    print(session.url)
    try:
        client.v1.billing_portal.sessions.create({"customer": "cus_nobody"})
    except stripe.InvalidRequestError as error:
        print(error.http_status, error.code, error.param)


{"sign": sign, "verify": verify, "checkout": checkout}[sys.argv[1]](*sys.argv[2:])
