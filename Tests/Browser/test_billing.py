"""Buying a plan, changing it, and a payment that fails."""
from dashboard import DashboardTest
from waiting import eventually


class Checkout(DashboardTest):
    def upgrade(self) -> None:
        """As far as the payment page."""
        self.click("#upgrade", "Upgrade to Paid")
        self.wait_for_stripe()
        self.see("h1", "Checkout")

    def wait_for_stripe(self) -> None:
        eventually("Stripe's page", lambda: self.browser.driver.current_url.startswith(self.development.stripe))

    def test_pay(self) -> None:
        token = self.new_customer(calls=5)
        self.reads("#usage-state", "Used up")
        self.upgrade()
        self.click("button", "Pay")
        self.see("#notice-payment", "Your plan is now Paid")
        self.reads("#usage", "5 / 500")
        self.reads("#plan-name", "Paid")
        self.see("#plan-renewal", "Renews on ")
        self.see_no("#usage-state")
        self.assertEqual(self.browser.driver.current_url, f"{self.development.gateway}/dashboard")
        self.assertEqual(self.development.call("POST", "/verify-auth", token).status, 200)
        self.check_state("checkout-paid")
        self.click("#notice-payment button", "Dismiss")
        self.see_no("#notice-payment")
        self.browser.driver.refresh()
        self.see("#account")
        self.see_no("#notice-payment")

    def test_two_presses_open_one_checkout(self) -> None:
        token = self.new_customer()
        self.see("#upgrade")
        self.browser.script("const button = document.getElementById('upgrade'); button.click(); button.click()")
        self.wait_for_stripe()
        self.assertEqual(self.development.usage_count(token), 1, "each checkout costs a call")

    def test_cancel(self) -> None:
        token = self.new_customer(calls=4)
        self.upgrade()
        self.click("a", "Cancel")
        self.see("#notice-payment", "The checkout was cancelled.")
        self.reads("#plan-name", "Free")
        self.assertEqual(self.browser.driver.current_url, f"{self.development.gateway}/dashboard")
        self.assertIsNone(self.account(token)["subscription"])
        self.check_state("checkout-cancelled")
        self.click("#notice-payment button", "Dismiss")
        self.see_no("#notice-payment")

    def test_success_is_not_told_before_stripe_has_confirmed(self) -> None:
        self.new_customer()
        self.open("/dashboard?payment=success")
        self.see("#notice-payment", "Thank you for your payment.")
        self.wait_for_reads(2)
        self.reads("#plan-name", "Free")
        self.assertNotIn("Your plan is now", self.text("#notice-payment"))
        self.check_state("checkout-not-confirmed-yet")


class Portal(DashboardTest):
    def open_portal(self, button: str) -> None:
        self.click(button)
        eventually("the portal", lambda: self.browser.driver.current_url.startswith(self.development.stripe))
        self.see("h1", "Your subscriptions")

    def new_subscriber(self) -> str:
        token = self.new_customer(calls=1)
        self.buy(token)
        self.refresh()
        self.reads("#plan-name", "Paid")
        return token

    def test_cancel_subscription(self) -> None:
        token = self.new_subscriber()
        self.open_portal("#manage-billing")
        self.click("button", "Cancel subscription")
        self.reads("#plan-name", "Free")
        self.reads("#usage", "2 / 5")
        self.see("#plan-renewal", "cancelled")
        self.see("#upgrade", "Upgrade to Paid")
        self.assertEqual(self.account(token)["subscription"]["status"], "canceled")
        self.check_state("subscription-cancelled")

    def test_buy_again_after_cancelling(self) -> None:
        self.new_subscriber()
        self.open_portal("#manage-billing")
        self.click("button", "Cancel subscription")
        self.reads("#plan-name", "Free")
        self.click("#upgrade")
        self.click("button", "Pay")
        self.see("#notice-payment", "Your plan is now Paid")

    def test_payment_fails_and_is_made_good(self) -> None:
        token = self.new_subscriber()
        self.open_portal("#manage-billing")
        self.click("button", "Fail next payment")
        self.see("#notice-past-due", "Your last payment failed.")
        self.see("#notice-past-due", "Paid stays yours until ")
        self.see("#usage", "/ 500")
        self.open_portal("#notice-past-due button")
        self.click("button", "Pay next invoice")
        self.see("#account")
        eventually("the payment counts", lambda: self.account(token)["subscription"]["status"] == "active")
        self.refresh()
        self.see_no("#notice-past-due")

    def test_what_is_decided_is_told(self) -> None:
        self.new_subscriber()
        self.see("#plan-renewal", "Renews on ")
        self.open_portal("#manage-billing")
        self.click("button", "Cancel at the end of the period")
        self.see("#plan-renewal", "Ends on ")
        self.reads("#plan-name", "Paid")
        self.check_state("subscription-ends")
        self.open_portal("#manage-billing")
        self.click("button", "Do not cancel")
        self.see("#plan-renewal", "Renews on ")
        self.open_portal("#manage-billing")
        self.click("button", "Pause collection")
        self.see("#plan-renewal", "Payments are paused")
        self.reads("#plan-name", "Paid")
        self.check_state("payments-paused")

    def test_trial(self) -> None:
        self.new_subscriber()
        self.open_portal("#manage-billing")
        self.click("button", "Cancel subscription")
        self.see("#plan-renewal", "cancelled")
        self.open_portal("#manage-billing")
        self.click("button", "Try for 14 days")
        self.see("#plan-renewal", "Trial until ")
        self.reads("#plan-name", "Paid")
        self.check_state("trial")
