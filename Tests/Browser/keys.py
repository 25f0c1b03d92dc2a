"""What the tests of secret keys have in common."""
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from dashboard import DashboardTest


class KeyTest(DashboardTest):
    def create_key(self, name: str, **form: str) -> str:
        """The secret, which is still shown afterwards."""
        self.click("#create-key", "Create key")
        self.fill(name, **form)
        self.click("#create-submit")
        return self.of("#secret", lambda element: element.text, "sk_")

    def fill(self, name: str, scopes: str | None = None, expiry: str = "", mode: str = "live") -> None:
        self.see("#key-name").clear()
        self.see("#key-name").send_keys(name)
        if scopes is not None:
            self.see("#key-scopes").clear()
            self.see("#key-scopes").send_keys(scopes)
        Select(self.see("#key-expiry")).select_by_value(expiry)
        self.click(f"#create-dialog [name=mode][value={mode}]")

    def close_secret(self) -> None:
        self.click("#secret-done", "Done")
        self.see_no("#secret-dialog")

    def row(self, name: str) -> WebElement:
        return self.see("#key-list tr", name)

    def click_in_row(self, name: str, action: str) -> None:
        self.of("#key-list tr", lambda row: self._button(row, name, action).click(), name)

    def is_enabled_in_row(self, name: str, action: str) -> bool:
        return self.of("#key-list tr", lambda row: self._button(row, name, action).is_enabled(), name)

    def _button(self, row: WebElement, name: str, action: str) -> WebElement:
        button = next(each for each in row.find_elements(By.CSS_SELECTOR, "button") if each.text.startswith(action))
        self.assertEqual(button.accessible_name, f"{action} {name}")
        return button

    def make_key(self, token: str, name: str) -> Any:
        """Beside the page."""
        answer = self.development.call("POST", "/keys", token, body={"name": name})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.json

    def new_customer_with_keys(self, *names: str) -> tuple[str, list[Any]]:
        """A token of theirs, and the keys as the API tells them once."""
        token = self.new_customer()
        keys = [self.make_key(token, name) for name in names]
        self.refresh()
        return token, keys

    def check_works(self, key: str) -> None:
        answer = self.development.call("POST", "/verify-auth", key=key)
        self.assertEqual(answer.status, 200, answer.text)

    def check_refused(self, key: str, code: str) -> None:
        answer = self.development.call("POST", "/verify-auth", key=key)
        self.assertEqual((answer.status, answer.json["code"]), (401, code))

    def focused_id(self) -> str:
        return self.browser.script("return document.activeElement.id")

    def whole_page(self) -> str:
        """Everything in it, what stands in its fields as well."""
        return self.browser.script(
            "return document.documentElement.outerHTML"
            " + [...document.querySelectorAll('input, textarea')].map(({value}) => value).join()")
