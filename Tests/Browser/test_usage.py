"""What each sample user sees: figures, plan, price, and what is left to do."""
import dataclasses

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from dashboard import DashboardTest, next_reset
from waiting import eventually


@dataclasses.dataclass(frozen=True)
class Sight:
    usage: str
    remaining: str
    percent: int
    plan: str
    price: str
    limits: str

    # Of the bar, beside its own.
    level: str = ""
    badge: str = ""


_FREE = ("Free", "Free of charge", "5 calls a month, 100 a minute")
_PAID = ("Paid", "$29 per month", "500 calls a month, 100 a minute")


class SampleUsers(DashboardTest):
    def check_sight(self, user: str, sight: Sight) -> None:
        self.sign_in(user)
        self.reads("#usage", sight.usage)
        self.reads("#remaining", sight.remaining)
        self.reads("#reset-date", next_reset())
        self.reads("#plan-name", sight.plan)
        self.reads("#plan-price", sight.price)
        self.reads("#plan-limits", sight.limits)
        self.reads("#rate", "100 of 100")
        if sight.badge:
            self.reads("#usage-state", sight.badge)
        else:
            self.see_no("#usage-state")
        self.check_bar(sight)

    def check_bar(self, sight: Sight) -> None:
        bar = self.see("#usage-bar")
        used, limit = sight.usage.split(" / ")
        self.assertEqual(bar.accessible_name, "Usage this month")
        self.assertEqual(bar.aria_role, "progressbar")
        self.assertEqual((bar.get_attribute("aria-valuenow"), bar.get_attribute("aria-valuemax")), (used, limit))
        self.assertIn(f"{sight.percent}%", self.attribute("#usage-bar", "aria-valuetext"))
        self.assertEqual(self.attribute("#usage-bar", "class").split(), ["bar", *sight.level.split()])
        drawn = self.browser.script("return document.getElementById('usage-fill').style.width")
        self.assertEqual(float(drawn.removesuffix("%")).__floor__(), sight.percent)

    def test_free(self) -> None:
        self.check_sight("user_free", Sight("2 / 5", "3 calls", 40, *_FREE))
        self.see_no("#usage-advice")
        self.see_no("#manage-billing")
        self.reads("#upgrade", "Upgrade to Paid")
        self.assertNotIn("button--primary", self.attribute("#upgrade", "class"))
        self.reads("#user-name", "Fay Freeman")
        self.check_state("usage-free")

    def test_near_the_limit(self) -> None:
        self.check_sight("user_near", Sight("4 / 5", "1 call", 80, *_FREE, "is-warning", "80% used"))
        self.reads("#usage-advice", f"1 call is left until {next_reset()}. Paid has 500 calls a month.")
        self.assertIn("button--primary", self.attribute("#upgrade", "class"))
        self.check_state("usage-near-limit")

    def test_exhausted(self) -> None:
        self.check_sight("user_exhausted", Sight("5 / 5", "0 calls", 100, *_FREE, "is-over", "Used up"))
        self.see("#usage-advice", "used up")
        self.see("#usage-advice", next_reset())
        self.assertIn("button--primary", self.attribute("#upgrade", "class"))
        self.check_state("usage-exhausted")

    def test_paid(self) -> None:
        self.check_sight("user_paid", Sight("137 / 500", "363 calls", 27, *_PAID))
        self.see_no("#upgrade")
        self.see("#manage-billing", "Manage billing")
        self.see("#plan-renewal", "Renews on ")
        self.check_state("usage-paid")

    def test_past_due(self) -> None:
        self.check_sight("user_past_due", Sight("60 / 500", "440 calls", 12, *_PAID))
        self.see("#notice-past-due", "Your last payment failed.")
        self.see("#notice-past-due button", "Update payment details")
        self.check_state("usage-past-due")


class Chart(DashboardTest):
    def test_says_what_the_api_says(self) -> None:
        self.sign_in("user_free")
        history = self.account(self.development.token("user_free"))["history"]
        total = sum(sum(route["calls"]) for route in history["routes"])
        self.reads("#chart-day", f"{total} calls in all")
        legend = self.texts("#chart-legend li")
        self.assertEqual(legend, [f"{route['name']} ({sum(route['calls'])})" for route in history["routes"]])
        bars = sum(1 for route in history["routes"] for calls in route["calls"] if calls)
        self.assertEqual(len(self.shown("#chart svg rect[class^=series-]")), bars)

    def test_table_has_every_day(self) -> None:
        self.sign_in("user_paid")
        self.click("#chart-details summary")
        history = self.account(self.development.token("user_paid"))["history"]
        rows = eventually("the table stays", lambda: [
            [cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
            for row in self.shown("#chart-table tbody tr")])
        columns = [route["calls"] for route in history["routes"]]
        expected = [[str(calls) for calls in day] + [str(sum(day))] for day in zip(*columns)]
        self.assertEqual([row[1:] for row in rows], expected[::-1])
        self.check_state("chart-as-table")

    def test_days_are_chosen_with_the_keyboard(self) -> None:
        self.sign_in("user_paid")
        calls = [sum(day) for day in zip(*(
            route["calls"] for route in self.account(self.development.token("user_paid"))["history"]["routes"]))]
        slider = self.tab_to("#chart-days")
        self.assertEqual((slider.aria_role, slider.accessible_name), ("slider", "Day in the chart"))
        self.see("#chart-day", f": {calls[-1]} call")
        self.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
        self.see("#chart-day", f": {calls[-3]} call")
        self.assertEqual(slider.get_attribute("aria-valuenow"), "28")
        self.assertIn(f": {calls[-3]} call", self.attribute("#chart-days", "aria-valuetext"))
        self.check_state("chart-with-a-day")
        self.press(Keys.HOME)
        self.see("#chart-day", f": {calls[0]} call")

    def test_nothing_yet(self) -> None:
        self.new_customer()
        self.see("#chart-empty", "No calls in the last 30 days.")
        self.see_no("#chart")
        self.reads("#usage", "0 / 5")
        self.check_state("everything-empty")


class Languages(DashboardTest):
    def test_numbers_and_dates_are_the_readers(self) -> None:
        agent = self.browser.script("return navigator.userAgent")
        self.browser.command("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="de-DE,de")
        self.sign_in("user_paid")
        month = next_reset().split()[0]
        german = {"January": "Januar", "February": "Februar", "March": "März", "May": "Mai", "June": "Juni",
                  "July": "Juli", "October": "Oktober", "December": "Dezember"}.get(month, month)
        self.reads("#reset-date", f"1. {german} {next_reset()[-4:]}")
        self.see("#plan-price", "29 $")
