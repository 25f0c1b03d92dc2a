"""Figures that move while the page is looked at."""
from dashboard import DashboardTest


class LiveFigures(DashboardTest):
    def test_calls_show_without_reload(self) -> None:
        token = self.new_customer()
        self.reads("#usage", "0 / 5")
        self.mark_page()
        updated = self.text("#updated")
        self.make_calls(token, 2)
        self.reads("#usage", "2 / 5")
        self.reads("#remaining", "3 calls")
        self.see("#chart-legend", "verify-auth (2)")
        self.assertNotEqual(self.text("#updated"), updated)
        self.check_not_reloaded()

    def test_looking_costs_nothing(self) -> None:
        user = self.new_user()
        token = self.development.token(user)
        self.make_calls(token, 1)
        self.sign_in(user)
        self.wait_for_reads(1)
        for _ in range(3):
            self.read_again()
        self.assertEqual(self.development.redis("HGET", f"usage:{{{user}}}", "usageCount"), "1")
        self.assertEqual(self.development.usage_count(token), 1)
        counts = [self.development.redis("GET", key) for key in
                  self.development.redis("--scan", "--pattern", f"ratelimit:{{{user}}}:*").split()]
        self.assertLessEqual(sum(map(int, counts)), 1, "looking took places in the minute")

    def test_last_call_shows_as_used_up(self) -> None:
        token = self.new_customer(calls=4)
        self.reads("#usage-state", "80% used")
        self.mark_page()
        self.make_calls(token, 1)
        self.refresh()
        self.reads("#usage-state", "Used up")
        self.reads("#usage", "5 / 5")
        self.see("#usage-advice", "Upgrade to Paid for 500 calls a month")
        self.assertEqual(self.development.call("POST", "/verify-auth", token).json["code"], "quota-exceeded")
        self.check_not_reloaded()

    def test_the_route_of_a_guarded_api_has_its_own_bars(self) -> None:
        token = self.new_customer(calls=1)
        answer = self.development.call("GET", "/authorize/reports", token)
        self.assertEqual(answer.status, 200, answer.text)
        self.refresh()
        self.see("#chart-legend", "reports (1)")
        self.see("#chart-legend", "verify-auth (1)")

    def test_a_new_plan_shows_without_reload(self) -> None:
        token = self.new_customer(calls=1)
        self.mark_page()
        self.buy(token)
        self.refresh()
        self.reads("#plan-name", "Paid")
        self.see("#usage", "/ 500")
        self.see("#manage-billing")
        self.check_not_reloaded()
