"""Which user is signed in, and what the page says while none is."""
from dashboard import DashboardTest
from waiting import eventually


class SignIn(DashboardTest):
    def test_signed_out(self) -> None:
        self.open("/dashboard")
        self.reads("#gate-title", "Sign in to your dashboard")
        self.see_no("#account")
        self.see_no("#sign-out")
        self.check_state("signed-out")

    def test_name_is_shown_and_the_id_of_who_has_none(self) -> None:
        user = self.new_user()
        self.sign_in(user, name="Ada Lovelace")
        self.reads("#user-name", "Ada Lovelace")
        self.browser.begin(self.origins)
        self.sign_in(user)
        self.reads("#user-name", user)

    def test_sign_out(self) -> None:
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        self.click("#sign-out", "Sign out")
        self.reads("#gate-title", "Sign in to your dashboard")
        self.check_nothing_is_shown()
        self.browser.driver.refresh()
        self.reads("#gate-title", "Sign in to your dashboard")

    def test_going_back_after_signing_out_shows_nothing(self) -> None:
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        self.open("/dashboard?again")
        self.click("#sign-out", "Sign out")
        self.reads("#gate-title", "Sign in to your dashboard")
        # The browser may have kept both pages as they were.
        for _ in range(2):
            self.browser.driver.back()
            self.see("#sign-in", "Sign in")
            self.see_no("#account")
            self.check_nothing_is_shown()

    def check_nothing_is_shown(self) -> None:
        for text in ("137", "Pat Payne"):
            self.assertNotIn(text, self.text("body"))

    def test_somebody_else_in_another_tab(self) -> None:
        """What belongs to the one before is gone as soon as the page asks again."""
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        here = self.browser.driver.current_window_handle
        self.browser.driver.switch_to.new_window("tab")
        self.open("/dashboard")
        self.click("#sign-out")
        self.see("#sign-in")
        self.choose_user("user_free")
        self.reads("#usage", "2 / 5")
        self.browser.driver.switch_to.window(here)
        self.browser.driver.refresh()
        self.reads("#usage", "2 / 5")
        self.assertNotIn("Pat Payne", self.text("body"))

    def test_token_is_kept_in_memory_alone(self) -> None:
        self.sign_in("user_paid")
        self.read_again()
        kept = self.browser.script(
            "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
            " document.documentElement.outerHTML, location.href, history.state])")
        # Every JSON Web Token begins so.
        self.assertNotIn("eyJ", kept)
        databases = self.browser.driver.execute_async_script("indexedDB.databases().then(arguments[0])")
        self.assertEqual(databases, [])

    def test_token_is_renewed_before_it_runs_out(self) -> None:
        """It lives for a minute, which a clock that is ahead shortens."""
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        self.mark_page()
        tokens = self.tokens()
        self.browser.script("const real = Date.now.bind(Date); Date.now = () => real() + 55_000")
        self.read_again()
        self.assertEqual(self.tokens(), tokens + 1)
        self.reads("#usage", "137 / 500")
        self.check_not_reloaded()

    def tokens(self) -> int:
        """How many the page has asked for."""
        return self.browser.script(
            "return performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/token')).length")

    def test_requests_go_to_the_gateway_and_the_identity_provider_alone(self) -> None:
        self.sign_in("user_paid")
        self.browser.network()
        self.open("/dashboard")
        self.reads("#usage", "137 / 500")
        self.read_again()
        asked = {event["params"]["request"]["url"].split("?")[0] for event in self.browser.network()
                 if event["method"] == "Network.requestWillBeSent"}
        origins = {"/".join(url.split("/")[:3]) for url in asked if not url.startswith("data:")}
        self.assertEqual(origins, {self.development.gateway, self.development.identity})


class SignInInTrouble(DashboardTest):
    expected_in_console = ("net::ERR_BLOCKED_BY_CLIENT", "The sign-in script did not load")

    def test_script_is_kept_out(self) -> None:
        self.browser.command("Network.enable")
        self.browser.command("Network.setBlockedURLs", urls=[f"{self.development.identity}/npm/*"])
        self.open("/dashboard")
        self.reads("#gate-title", "Sign-in cannot be reached")
        self.see("#gate-text", self.development.identity.removeprefix("http://"))
        self.check_state("sign-in-blocked")
        self.browser.command("Network.setBlockedURLs", urls=[])
        self.click("#try-again", "Try again")
        self.reads("#gate-title", "Sign in to your dashboard")

    def test_session_ends(self) -> None:
        """The page finds out when its token has to be renewed, which a clock that is ahead makes at once."""
        self.sign_in("user_paid")
        self.reads("#usage", "137 / 500")
        self.browser.command("Network.clearBrowserCookies")
        self.browser.script("const real = Date.now.bind(Date); Date.now = () => real() + 3_600_000;"
                            "dispatchEvent(new Event('focus'))")
        eventually("a message that asks to sign in", lambda: self.shown("#sign-in"))
        self.assertNotIn("137", self.text("body"))
