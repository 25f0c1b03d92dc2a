"""The operator's overview on the admin port."""
import re

from selenium.webdriver.common.keys import Keys

from api import request
from dashboard import DashboardTest, OwnDevelopment
from overview import OverviewTest
from tabbing import check_tab_stops
from waiting import eventually
from worker import running_worker


class Overview(OverviewTest):
    def test_refusals_by_reason(self) -> None:
        self.open_overview()
        token = self.development.token(self.new_user())
        self.make_calls(token, 5)
        for _ in range(3):
            self.assertEqual(self.development.call("POST", "/verify-auth", token).status, 403)
        self.assertEqual(self.development.call("POST", "/verify-auth").status, 401)
        self.assertEqual(self.development.call("POST", "/verify-auth", key="sk_live_nonsense").status, 401)
        self.see("#refusal-list tr", "The month's calls are used up")
        self.see("#refusal-list tr", "No credential")
        self.see("#refusal-list tr", "Not an API key")
        self.see("#refusal-list tr", "quota-exceeded")
        self.wait_for_figure("refused", 5)
        self.check_state("overview-with-refusals")

    def test_top_users(self) -> None:
        user = self.new_user()
        self.make_calls(self.development.token(user, "paid"), 90)
        self.open_overview()
        # A worker may have told of some of them before the others were made.
        eventually("all calls are told of", lambda: self.see("#user-list tr", user).text.split()[-1] == "90")
        self.click("#user-list a", user)
        self.reads("#explained-user", user)

    def test_workers_come_and_go(self) -> None:
        self.open_overview()
        self.reads("#worker-count", "1")
        with running_worker(self.development) as worker:
            self.reads("#worker-count", "2")
            self.see("#worker-list tr", worker.gateway.removeprefix("http://"))
            self.see("#worker-list tr", "answers this page")
            self.check_state("overview-two-workers")
        self.reads("#worker-count", "1", timeout=25)

    def test_tab_stops(self) -> None:
        self.make_calls(self.development.token(self.new_user()), 1)
        self.open_overview()
        self.see("#user-list a")
        check_tab_stops(self)

    def test_redis_and_webhooks(self) -> None:
        self.open_overview()
        version = re.findall(r"redis_version:(\S+)", self.development.redis("INFO", "server"))[0]
        self.see("#redis-facts", version)
        self.see("#latency", " ms")
        self.reads("#waiting-count", "0")
        self.see("#event-empty", "No event waits")

    def test_less_than_100_kilobytes_and_painted_within_a_second(self) -> None:
        self.browser.network()
        self.open_overview()
        sizes = [event["params"]["encodedDataLength"] for event in self.browser.network()
                 if event["method"] == "Network.loadingFinished"]
        self.assertGreater(len(sizes), 5)
        self.assertLess(sum(sizes), 100_000)
        times = []
        for _ in range(3):
            self.open_overview()
            times.append(eventually("the first paint is told", lambda: self.browser.script(
                "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")))
            self.browser.driver.get("about:blank")
        self.assertLess(min(times), 1000, f"milliseconds: {times}")

    def test_without_javascript(self) -> None:
        self.browser.command("Emulation.setScriptExecutionDisabled", value=True)
        self.browser.driver.get(f"{self.development.admin}/overview")
        self.see("h1", "JavaScript is switched off")
        self.check_state("overview-without-javascript", is_judged=False)


class Traffic(OwnDevelopment, OverviewTest):
    def test_calls_show_without_reload(self) -> None:
        self.open_overview()
        self.reads("#admitted", "0")
        self.see("#user-empty", "No user has called today.")
        self.mark_page()
        user = self.new_user()
        self.make_calls(self.development.token(user, "paid"), 40)
        self.reads("#admitted", "40")
        self.wait_for_figure("requests-per-second", 0.1)
        self.see("#user-list tr", f"{user} 40")
        self.check_not_reloaded()


class Explanation(OverviewTest):
    def test_why_a_user_is_refused_until_they_buy(self) -> None:
        user = self.new_user()
        token = self.development.token(user)
        self.make_calls(token, 5)
        self.open_overview()
        self.search(user)
        self.reads("#explained-user", user)
        self.reads("#next-call", "Next call refused")
        self.reads("#month", "5 / 5")
        self.reads("#plan-name", "free")
        self.see("#subscription-empty")
        self.assertEqual(self.browser.script("return document.activeElement.id"), "explained-user")
        self.check_state("overview-explains-a-refusal")
        self.buy(token)
        self.reads("#next-call", "Next call admitted")
        self.reads("#month", "5 / 500")
        self.see("#subscription-facts", "active")
        self.check_state("overview-explains-a-subscriber")
        self.click("#close-explanation", "Close")
        self.see_no("#explanation")

    def test_address_leads_to_the_user(self) -> None:
        self.open_overview("#user=user_paid")
        self.reads("#explained-user", "user_paid")
        self.reads("#month", "137 / 500")
        self.browser.driver.refresh()
        self.reads("#explained-user", "user_paid")


class ExplanationRefused(OverviewTest):
    expected_in_console = (r"/admin/v1/users/.* 40[04]",)

    def test_what_is_no_user_id(self) -> None:
        self.open_overview()
        self.see("#user-id").send_keys("<img src=x onerror=alert(1)>", Keys.ENTER)
        self.see("#search-error")
        self.assertEqual(self.attribute("#user-id", "aria-invalid"), "true")
        self.see_no("#explanation")
        self.see_no("img")
        self.check_state("overview-not-a-user-id")


class OverviewInTrouble(OverviewTest):
    expected_in_console = ("Failed to load resource: the server responded with a status of 503", "net::ERR_BLOCKED")

    def test_redis_away(self) -> None:
        self.open_overview()
        self.mark_page()
        self.development.suspend_redis()
        self.addCleanup(self.development.resume_redis)
        self.see("#notices", "Redis cannot be asked.")
        self.reads("#redis-state", "Unavailable")
        self.check_state("overview-redis-away")
        self.development.resume_redis()
        self.see_no("#notices .notice--danger")
        self.check_not_reloaded()

    def test_no_answer(self) -> None:
        self.browser.command("Network.enable")
        self.open_overview()
        self.browser.command("Network.setBlockedURLs", urls=[f"{self.development.admin}/overview.json"])
        self.see("#connection-title", "The worker does not answer.")
        self.check_state("overview-no-answer")
        self.browser.driver.refresh()
        self.reads("#gate-title", "The worker does not answer.")
        self.browser.command("Network.setBlockedURLs", urls=[])
        self.click("#try-again")
        self.see("#overview")


class AdminGuard(DashboardTest):
    def test_answers_to_names_that_no_stranger_can_own(self) -> None:
        port = self.development.admin.rpartition(":")[2]
        answers = {host: request("GET", f"{self.development.admin}/overview.json", {"Host": f"{host}:{port}"}).status
                   for host in ("127.0.0.1", "localhost", "tollgate", "evil.example.com", "127.0.0.1.evil.example.com")}
        self.assertEqual(answers, {"127.0.0.1": 200, "localhost": 200, "tollgate": 200, "evil.example.com": 403,
                                   "127.0.0.1.evil.example.com": 403})

    def test_no_page_of_another_site_reads_it(self) -> None:
        answer = request("GET", f"{self.development.admin}/overview.json",
                         {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"})
        self.assertEqual((answer.status, answer.json["code"]), (403, "cross-site-request"))
