"""A minute that is used up."""
import re

from dashboard import DashboardTest


class MinuteUsedUp(DashboardTest):
    expected_in_console = (r" 429 ",)

    def use_up_minute(self, token: str) -> None:
        """With some of it left for looking."""
        seconds_left = 0
        while seconds_left < 15:
            while (answer := self.development.call("POST", "/verify-auth", token)).status == 200:
                pass
            self.assertEqual((answer.status, answer.json["code"]), (429, "rate-limit-exceeded"))
            seconds_left = int(answer.headers["retry-after"])
        self.refresh()

    def test_notice_counts_down_and_buttons_say_when(self) -> None:
        token = self.new_customer(plan="paid")
        self.mark_page()
        self.use_up_minute(token)
        notice = self.see("#notice-rate", "this minute’s calls are used up")
        first = self.seconds(notice.text)
        self.reads("#rate", "0 of 100")
        self.assertLessEqual(first, 60)
        self.see("#notice-rate", f"in {first - 2} second")
        self.click("#create-credentials")
        self.see("#credentials-error", "Try again in")
        self.check_state("rate-limited")
        # Figures are read on, for reading takes no place in the minute.
        self.wait_for_reads(1)
        self.see_no("#connection")
        self.check_not_reloaded()

    def seconds(self, text: str) -> int:
        found = re.search(r"in (\d+) second", text)
        self.assertIsNotNone(found, text)
        return int(found[1]) if found else 0

    def test_too_many_reads(self) -> None:
        """Such as from many tabs at once."""
        user = self.new_user()
        token = self.development.token(user)
        self.sign_in(user)
        self.reads("#usage", "0 / 5")
        while self.development.call("GET", "/account", token).status == 200:
            pass
        self.refresh()
        self.reads("#connection-title", "Your dashboard is open in too many places at once.")
        self.see("#connection-text", "Showing figures from ")
        self.reads("#usage", "0 / 5")
        self.check_state("too-many-reads")
