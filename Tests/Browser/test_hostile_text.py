"""Names that are markup, on a page that shows them as the text that they are."""
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By

from dashboard import DashboardTest

_MARKUP = "<img src=x onerror=alert(1)>"


class HostileText(DashboardTest):
    def check_harmless(self) -> None:
        self.assertEqual(self.browser.driver.find_elements(By.CSS_SELECTOR, "img, [onerror]"), [])
        with self.assertRaises(NoAlertPresentException):
            self.browser.driver.switch_to.alert.dismiss()

    def test_name_of_a_user(self) -> None:
        self.sign_in(self.new_user(), name=_MARKUP)
        self.reads("#user-name", _MARKUP)
        self.check_harmless()
        self.check_state("name-is-markup")

    def test_name_of_a_key(self) -> None:
        token = self.new_customer()
        for name in (_MARKUP, "a" * 100, "“quotes” & 'quotes' \\ \"quotes\""):
            self.assertEqual(self.development.call("POST", "/keys", token, body={"name": name}).status, 201)
        self.refresh()
        self.see("#key-list tr", _MARKUP)
        self.see("#key-list tr", "a" * 100)
        self.see("#key-list tr", "“quotes” & 'quotes' \\ \"quotes\"")
        self.browser.script("document.querySelector('#key-list button').click()")
        self.see("#rotate-dialog h2", "Rotate “")
        self.check_harmless()
        self.click("#rotate-dialog [data-closes]")
        self.see_no("#rotate-dialog")
        self.check_state("key-names-of-all-kinds")
