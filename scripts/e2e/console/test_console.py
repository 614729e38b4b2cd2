"""The operators' console in a browser: what one sees and does there, what it survives, and that words stay words."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Route, TimeoutError, expect

from muster import programs, wait
from muster.cluster import Cluster
from muster.fixtures import AgentsFactory, Scale
from muster.reporting import OUTPUT
from muster.traffic.agents import Agents
from muster.traffic.terminal import Terminal

TYPESCRIPT, AXE = "typescript@5.9.3", "axe-core@4.14.1"
API_TYPES = "openapi-typescript@7.13.0"
# Milliseconds in which the page must show what is looked for.
SOON = 30_000
PLACES = [
    "fleet",
    "terminals",
    "send",
    "commands",
    "rollouts",
    "rollouts/new",
    "events",
    "nodes",
    "proxies",
    "notices",
    "audit",
    "keys",
]
# How the console is looked at: the size of the window and the scheme of colours.
LOOKS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "phone": (390, 844, "light")}
# What a browser runs or turns if it is not mere text.
EVIL = "<img src=x onerror=alert(1)>\u202egnp"


class Console:
    """A tab with the console, and what its browser complains of."""

    def __init__(self, browser: Browser, cluster: Cluster, look: str = "light", at: str | None = None) -> None:
        width, height, scheme = LOOKS[look]
        self.cluster, self.host = cluster, at or cluster.proxy()
        self.context = browser.new_context(
            base_url=f"http://{self.host}",
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SOON)
        self.errors: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._opened)
        self.page.on("request", lambda request: self.asked.add(urlsplit(request.url).netloc))
        # The requests that have no answer yet, which say why a page does not open.
        self.unanswered: set[str] = set()
        self.page.on("request", lambda request: self.unanswered.add(request.url))
        for event in ("requestfinished", "requestfailed"):
            self.page.on(event, lambda request: self.unanswered.discard(request.url))

    def _opened(self, dialog: Dialog) -> None:
        """No page of the console asks so: what others wrote was run."""
        self.errors.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def sign_in(self, key: str = "") -> "Console":
        """Sign in with a key, by default the cluster's own."""
        if "/console/" not in self.page.url:
            self.page.goto("/console/")
        try:
            self.page.get_by_label("Key").fill(key or self.cluster.api.key)
        except TimeoutError as error:
            raise AssertionError(f"the page does not open; without an answer: {sorted(self.unanswered)}") from error
        self.click("Sign in")
        expect(self.page.get_by_role("status").filter(has_text="Live")).to_be_visible(timeout=SOON)
        return self

    def open(self, place: str) -> "Console":
        """Go to a page, and wait until it has read what it shows."""
        self.page.goto(f"/console/#/{place}")
        expect(self.page.locator("main h1")).to_be_visible(timeout=SOON)
        expect(self.page.locator("main .loading")).to_have_count(0, timeout=SOON)
        return self

    def click(self, name: str | re.Pattern[str]) -> None:
        """Press the button or link of this name."""
        self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first.click()

    def send(self, name: str, targets: int, expires_in: str = "60s") -> None:
        """Fill in the rest of the page "send", confirm, and wait for the command's page."""
        self.page.get_by_label("Name, a word").fill(name)
        self.page.get_by_label("Payload", exact=True).fill('{"text": "hello"}')
        self.page.get_by_label("Expires in").fill(expires_in)
        self.page.get_by_label("Each terminal confirms").select_option("result")
        self.click("Review and send")
        dialog = self.page.get_by_role("dialog")
        if targets > 100:
            dialog.get_by_role("textbox").fill(str(targets))
        dialog.get_by_role("button", name=re.compile("^Send to")).click()
        expect(self.page.locator("h1")).to_contain_text(name, timeout=SOON)

    def shows(self, text: str, where: str = "main .lead") -> None:
        """Wait until the page shows a text."""
        expect(self.page.locator(where).first).to_contain_text(text, timeout=SOON)

    def rows(self) -> Locator:
        """The rows of the page's table."""
        return self.page.locator("main tbody tr")

    def picture(self, name: str) -> None:
        """Keep a picture of the page in the folder of the tests' output."""
        (OUTPUT / "console").mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=OUTPUT / "console" / f"{name}.png")

    def blamed(self) -> list[str]:
        """Return what is wrong: what the browser complained of, and other hosts that were asked."""
        return self.errors + sorted(self.asked - {self.host})


ConsoleFactory = Callable[..., Console]


@pytest.fixture
def console(browser: Browser, cluster: Cluster) -> Iterator[ConsoleFactory]:
    """Tabs with the console, not signed in: `console()`, or `console("phone")`."""
    yield lambda *look, **at: Console(browser, cluster, *look, **at)


def shop(cluster: Cluster, terminals: list[str]) -> None:
    """Give these terminals the label shop=7."""
    for terminal in terminals:
        assert cluster.api.ask("PUT", f"/v1/terminals/{terminal}/labels", {"shop": "7"})[0] == 200


def fleet_of(agents: AgentsFactory, terminals: int) -> Agents:
    """Start terminals, and three more that confirm commands and never send a result."""
    agents(3, prefix="box-").online()
    return agents(terminals - 3, "--results", prefix="till-").online()


@pytest.mark.takes(seconds=60)
@pytest.mark.cluster(nodes=3)
def test_an_operator_finds_sends_watches_retries_and_drains(
    cluster: Cluster, agents: AgentsFactory, console: ConsoleFactory, scale: Scale
) -> None:
    count = scale(200, 2000)
    shop(cluster, fleet_of(agents, count).names()[:20])
    tab = console().sign_in()
    tab.shows(f"{count:,}", ".figure strong")
    # With the keyboard alone: to the terminals, search, the second row, open it.
    tab.page.keyboard.press("g")
    tab.page.keyboard.press("t")
    expect(tab.page.locator("h1")).to_have_text("Terminals")
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("till-10")
    expect(tab.rows()).to_have_count(11 if count == 200 else 12, timeout=SOON)
    for key in ("Escape", "j", "j", "Enter"):
        tab.page.keyboard.press(key)
    expect(tab.page.locator("h1")).to_contain_text("till-100", timeout=SOON)
    tab.click("Send a command")
    tab.send("show", 1)
    tab.shows("1 of 1 target confirmed")
    tab.open("send?labels=shop%3D7").send("reload", 20)
    tab.shows("20 of 20 targets confirmed")
    expect(tab.open("terminals?match=shop%20%3D%207%20and%20%40id%20%5E%3D%20box").rows()).to_have_count(0)
    expect(tab.open("terminals?match=shop%20%3D%207").rows()).to_have_count(20, timeout=SOON)
    tab.open("send?match=shop%20in%20(7,%208)").shows("20 terminals, all online now.")
    assert cluster.api.ask("PUT", "/v1/selectors/shops", {"match": "shop in (7, 8)"})[0] == 200
    for page in ("terminals", "send"):
        offered = tab.open(f"{page}?match=%40saved(shops)").page.locator("#saved-selectors option")
        expect(offered).to_have_attribute("value", "@saved(shops)")
    tab.shows("20 terminals, all online now.")
    tab.open("send").page.get_by_text("All", exact=True).click()
    tab.send("reboot", count, expires_in="4s")
    tab.shows(f"{count - 3:,} of {count:,} targets confirmed")
    tab.shows("3 did not")
    tab.picture("filled")
    tab.click("Retry")
    tab.click("Send again")
    tab.shows("3 of 3 targets confirmed")
    drained = tab.open("nodes").rows().filter(has_text=cluster.id(3))
    drained.get_by_role("button", name="Drain").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(drained).to_contain_text("empty", timeout=SOON)
    drained.get_by_role("button", name="Take it back").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(drained).to_contain_text("ready", timeout=SOON)
    assert tab.blamed() == []


@pytest.mark.cluster(nodes=1)
def test_what_is_done_is_what_the_operator_saw_and_confirmed(
    cluster: Cluster, agents: AgentsFactory, console: ConsoleFactory
) -> None:
    agents(2, prefix="till-").online()
    shop(cluster, ["till-1"])
    tab = console().sign_in().open("terminals/till-1")
    dialog = tab.page.get_by_role("dialog")
    # What is written replaces the labels of operators, so those that it has by other ways are only shown.
    tab.click("Labels")
    expect(dialog).to_contain_text("shop=7")
    expect(dialog.get_by_role("textbox")).to_have_value("")
    dialog.get_by_role("textbox").fill("floor=2")
    dialog.get_by_role("button", name="Set labels").click()
    expect(dialog).to_have_count(0)
    assert cluster.api.ask("GET", "/v1/terminals/till-1")[1]["labels"] == {"floor": "2"}

    tab.open("send?terminal=till-1").page.get_by_label("Name, a word").fill("count")
    payload = tab.page.get_by_label("Payload", exact=True)
    payload.fill('{"n": 1152921504606846976}')
    tab.shows("can’t keep the number 1152921504606846976")
    payload.fill('{"n": 9007199254740991}')
    tab.shows("1 terminal, all online now.")

    # The count of what was there before a change is no count of what is there now.
    held: list[Route] = []
    review = tab.page.get_by_role("button", name="Review and send")
    tab.page.route(re.compile(r"/v1/commands(\?|$)"), lambda route: held.append(route))
    tab.page.clock.install(time=0)
    tab.page.clock.pause_at(1)
    payload.fill('{"n": 1}')
    tab.page.clock.run_for(300)
    until(tab, lambda: len(held) == 1)
    payload.fill('{"n": 2}')
    with tab.page.expect_response(re.compile("dry_run")):
        held.pop().continue_()
    tab.page.clock.resume()
    until(tab, lambda: len(held) == 1)
    expect(review).to_be_disabled()
    held.pop().continue_()

    # What is on its way can't be cancelled any more, neither by the button nor by Escape.
    review.click()
    dialog.get_by_role("button", name="Send to 1 terminal").click()
    until(tab, lambda: len(held) == 1)
    expect(dialog.get_by_role("button", name="Cancel")).to_be_disabled()
    for _ in range(2):
        tab.page.keyboard.press("Escape")
    held.pop().continue_()
    tab.shows("count", "h1")
    assert tab.blamed() == []


def until(tab: Console, true: Callable[[], bool]) -> None:
    """Wait for something that the page's requests bring about."""
    wait.until(lambda: tab.page.evaluate("0") or true(), bool)


@pytest.mark.takes(seconds=40)
@pytest.mark.cluster(nodes=3)
def test_an_open_page_survives_the_death_of_nodes_of_redis_and_of_its_key(
    cluster: Cluster, agents: AgentsFactory, console: ConsoleFactory
) -> None:
    fleet = agents(50, prefix="till-").online()
    made = cluster.api.ask("POST", "/v1/keys", {"name": "night shift", "scope": "read", "valid_for": "1h"})[1]
    tab = console().sign_in(made["key"])
    tab.shows("50", ".figure strong")
    # A key that reads is shown nothing that it may not do.
    expect(tab.page.locator("nav a")).to_have_text(
        ["Fleet", "Terminals", "Commands", "Rollouts", "Events", "Nodes", "Proxies"]
    )
    for number in (1, 2):
        cluster.kill(f"node{number}")
        fleet.online(at=cluster.node(3))
        tab.shows("50", ".figure strong")
        tab.shows("Live", ".line")
    # The stream came back too: what happens now is told.
    wait.until(lambda: cluster.sessions(3, at=cluster.node(3)), lambda count: count == 50)
    assert cluster.api.ask("DELETE", "/v1/terminals/till-1/session", at=cluster.node(3))[0] == 202
    tab.shows("an operator closed its session", "main .feed")
    cluster.kill("redis")
    expect(tab.page.locator(".trouble")).not_to_be_empty(timeout=SOON)
    cluster.start("redis")
    expect(tab.page.locator(".trouble")).to_be_empty(timeout=SOON)
    # What the browser itself says of answers and connections that broke is no fault of the page.
    assert [error for error in tab.errors if not error.startswith("Failed to load resource")] == []
    assert cluster.api.ask("DELETE", f"/v1/keys/{made['id']}", at=cluster.node(3))[0] == 200
    tab.shows("revoked", ".notice")
    tab.sign_in()
    tab.shows("50", ".figure strong")


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s")
def test_what_others_write_is_never_more_than_words(cluster: Cluster, console: ConsoleFactory) -> None:
    with Terminal(cluster, cluster.node(1), "evil") as terminal:
        labels = {"<b>shop</b>": EVIL}
        wait.until(lambda: cluster.api.ask("PUT", "/v1/terminals/evil/labels", labels)[0], lambda status: status == 200)
        command = cluster.api.post({"target": {"terminal": "evil"}, "name": EVIL, "payload": {EVIL: EVIL}})["id"]
        tab = console().sign_in().open("events")
        for place in ("fleet", "terminals", "terminals/evil", "commands", f"commands/{command}", "audit", "events"):
            tab.open(place)
            if place.endswith(("evil", "events")):
                terminal.say(EVIL)
                tab.shows("says message", "main .feed:has(details)")
            if place not in ("audit", "events"):
                expect(tab.page.locator("main")).to_contain_text("<img src=x", timeout=SOON)
            shown = tab.page.locator("main").inner_text()
            assert "\u202e" not in shown and tab.page.locator("main img").count() == 0, place
            assert place in ("fleet", "audit") or "\\u{202e}" in shown, place
        tab.picture("words")
    assert tab.blamed() == []


@pytest.mark.takes(seconds=60)
@pytest.mark.cluster(nodes=2)
@pytest.mark.parametrize("look", LOOKS)
def test_each_page_is_fit_to_be_seen(
    look: str, cluster: Cluster, agents: AgentsFactory, console: ConsoleFactory
) -> None:
    shop(cluster, fleet_of(agents, 200).names()[:20])
    axe = (programs.npm_install(AXE) / "axe-core" / "axe.min.js").read_text()
    tab = console(look)
    tab.page.goto("/console/")
    tab.page.get_by_label("Key").wait_for()
    found = faults(tab, axe, f"{look}-sign-in")
    tab.sign_in()
    command = cluster.api.post(
        {"target": {"all": True}, "name": "show", "payload": {"text": "hi"}, "expires_in": "2s", "confirm": "result"}
    )
    wait.until(lambda: cluster.api.counts(command["id"]), lambda counts: counts.get("timed_out") == 3)
    for place in [*PLACES, "terminals/till-7", f"commands/{command['id']}"]:
        tab.open(place)
        tab.page.wait_for_load_state("networkidle") if place in ("send", "rollouts/new") else tab.shows("Live", ".line")
        found += faults(tab, axe, f"{look}-{place.split('/')[0]}{'-one' if '/' in place else ''}")
    assert found == [] and tab.blamed() == []


def faults(tab: Console, axe: str, name: str) -> list[str]:
    """Take a picture; return what axe finds serious, and whether the page is wider than its window."""
    tab.picture(name)
    tab.page.evaluate(axe)
    violations = tab.page.evaluate("axe.run().then((result) => result.violations)")
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    found = [f"{name}: {each['id']} at {[node['target'] for node in each['nodes']][:4]}" for each in serious]
    wide = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found + ([f"{name} is {wide} pixels too wide"] if wide > 0 else [])


def test_the_types_of_the_api_are_made_from_its_document(tmp_path: Path) -> None:
    make = programs.npm_install(TYPESCRIPT, API_TYPES) / "openapi-typescript" / "bin" / "cli.js"
    document, made = tmp_path / "openapi.json", tmp_path / "api.d.ts"
    document.write_text(subprocess.check_output([programs.program("muster-node"), "openapi"], text=True))
    subprocess.run(["node", make, document, "-o", made], check=True, capture_output=True)
    committed = programs.ROOT / "console" / "types" / "api.d.ts"
    assert made.read_text() == committed.read_text(), "make console/types/api.d.ts anew, as CONTRIBUTING.md says"


def test_the_types_of_the_console_are_sound() -> None:
    tsc = programs.npm_install(TYPESCRIPT) / "typescript" / "bin" / "tsc"
    checked = subprocess.run(
        ["node", tsc, "-p", programs.ROOT / "console" / "jsconfig.json"], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
