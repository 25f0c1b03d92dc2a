"""The gateway, Redis or the network away, and back again."""
import shutil

from dashboard import DashboardTest, OwnDevelopment
from waiting import eventually


class Outage(OwnDevelopment):
    expected_in_console = (
        "Failed to load resource: net::", "Failed to load resource: the server responded with a status of (401|503)",
        "Refusal: The session token's signature is wrong")


class RedisAway(Outage):
    def suspend_redis(self) -> None:
        self.development.suspend_redis()
        self.addCleanup(self.development.resume_redis)

    def test_old_figures_stay_until_it_is_back(self) -> None:
        token = self.new_customer(calls=1)
        self.reads("#usage", "1 / 5")
        self.mark_page()
        self.suspend_redis()
        self.refresh()
        self.reads("#connection-title", "Your figures cannot be read at the moment.")
        self.see("#connection-text", "Showing figures from ")
        self.see("#connection-countdown", "Trying again in ")
        self.reads("#usage", "1 / 5")
        self.check_state("redis-away")
        self.wait_for_a_long_pause("#connection-countdown")
        self.development.resume_redis()
        self.make_calls(token, 1)
        self.click("#try-now", "Try now")
        self.see_no("#connection")
        self.reads("#usage", "2 / 5")
        self.check_not_reloaded()

    def wait_for_a_long_pause(self, countdown: str) -> None:
        """Each try that fails doubles the time until the next: then the page does not come before a click."""
        eventually("the next try is far", lambda: any(
            seconds in self.text(countdown) for seconds in ("in 6 s", "in 7 s", "in 8 s", "in 9 s")), timeout=60)

    def test_buttons_say_so(self) -> None:
        self.new_customer()
        self.suspend_redis()
        self.click("#create-credentials")
        self.see("#credentials-error", "Try again in a second.")
        self.click("#upgrade")
        self.see("#plan-error", "Try again in a second.")
        self.click("#create-key")
        self.see("#key-name").send_keys("server")
        self.click("#create-submit")
        self.see("#create-error", "Try again in a second.")
        self.assertEqual(self.attribute("#key-name", "value"), "server", "what was typed is lost")

    def test_first_load(self) -> None:
        self.suspend_redis()
        self.open("/dashboard")
        self.choose_user(self.new_user())
        self.reads("#gate-title", "Your dashboard cannot be shown")
        self.see("#gate-text", "Your figures cannot be read at the moment.")
        self.see("#gate-countdown", "Trying again in ")
        self.check_state("first-load-fails")
        self.wait_for_a_long_pause("#gate-countdown")
        self.development.resume_redis()
        self.click("#try-again", "Try again")
        self.reads("#usage", "0 / 5")

    def test_first_load_recovers_by_itself(self) -> None:
        self.suspend_redis()
        self.open("/dashboard")
        self.choose_user(self.new_user())
        self.see("#gate-countdown", "Trying again in ")
        self.development.resume_redis()
        self.reads("#usage", "0 / 5")


class GatewayAway(Outage):
    def test_comes_back_on_the_same_port(self) -> None:
        token = self.new_customer(calls=1)
        self.reads("#usage", "1 / 5")
        self.mark_page()
        self.development.stop()
        self.addCleanup(self.development.ensure_started)
        self.refresh()
        self.see("#connection-title", "Cannot reach Tollgate.")
        self.see("#connection-text", "Showing figures from ")
        self.reads("#usage", "1 / 5")
        self.check_state("gateway-away")
        self.click("#create-credentials")
        self.see("#credentials-error", "Check your connection and try again.")
        self.development.start()
        self.make_calls(token, 1)
        self.see_no("#connection", timeout=30)
        self.reads("#usage", "2 / 5")
        self.check_not_reloaded()

    def test_session_that_the_gateway_does_not_know(self) -> None:
        """As after a change of the identity provider's keys."""
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        self.development.stop()
        self.addCleanup(self.development.ensure_started)
        shutil.rmtree(self.development.identity_directory)
        self.development.start()
        self.reads("#gate-title", "Your session has ended")
        self.reads("#gate-text", "Sign in again to go on.")
        self.assertNotIn("137", self.text("body"))
        self.assertNotIn("Pat Payne", self.text("body"))
        self.check_state("session-ended")
        self.choose_user("user_paid")
        self.reads("#usage", "137 / 500")


class NetworkAway(DashboardTest):
    expected_in_console = ("Failed to load resource: net::",)

    def be_offline(self, is_offline: bool) -> None:
        self.browser.command("Network.enable")
        self.browser.command("Network.emulateNetworkConditions", offline=is_offline, latency=0,
                             downloadThroughput=-1, uploadThroughput=-1)

    def test_offline_and_back(self) -> None:
        token = self.new_customer(calls=1)
        self.reads("#usage", "1 / 5")
        self.mark_page()
        self.be_offline(True)
        self.see("#connection-title", "You are offline.")
        self.reads("#usage", "1 / 5")
        self.check_state("offline")
        self.make_calls(token, 1)
        self.be_offline(False)
        self.see_no("#connection")
        self.reads("#usage", "2 / 5")
        self.check_not_reloaded()

    def test_first_load_without_an_answer(self) -> None:
        self.browser.command("Network.enable")
        self.browser.command("Network.setBlockedURLs", urls=[f"{self.development.gateway}/account"])
        self.open("/dashboard")
        self.choose_user("user_paid")
        self.reads("#gate-title", "Cannot reach Tollgate.")
        self.browser.command("Network.setBlockedURLs", urls=[])
        self.click("#try-again", "Try again")
        self.reads("#usage", "137 / 500")
