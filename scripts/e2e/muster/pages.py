"""The project's Markdown pages: their blocks, commands, links and headings."""

import re
from dataclasses import dataclass
from functools import cached_property

from muster.programs import ROOT

# A block names its language, and why its commands are not run; or that its lines are printed by the page's commands.
INFO = re.compile(r"[a-z]+( printed| not run: .+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind its opening fence, its lines, and the line of the page where it begins."""

    info: str
    lines: list[str]
    at: int


class Page:
    """One page, named by its path from the project's root."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, ROOT / name
        self.text = self.path.read_text()

    @cached_property
    def blocks(self) -> list[Block]:
        """All fenced blocks, in their order."""
        found: list[Block] = []
        inside = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.startswith("```"):
                inside = not inside
                if inside:
                    found.append(Block(line.removeprefix("```"), [], number))
            elif inside:
                found[-1].lines.append(line)
        return found

    @cached_property
    def prose(self) -> str:
        """The text outside of blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def unmarked_blocks(self) -> list[str]:
        """Return the blocks without a language or a reason, and indented blocks, which have neither.

        A list item's continuation has less than four spaces on these pages.
        """
        fenced = [f"{self.name}:{block.at}: {block.info}" for block in self.blocks if not INFO.fullmatch(block.info)]
        return fenced + re.findall(r"\n\n(?:    |\t).*", self.prose)

    def commands(self) -> list[str]:
        """Return the lines that are run, in their order, each block under a line that says where it stands."""
        runs = [block for block in self.blocks if block.info == "sh"]
        return [line for block in runs for line in (f": {self.name}:{block.at}", *block.lines)]

    def printed(self) -> list[str]:
        """Return the lines that the commands must print. … stands for any text."""
        shown = [line for block in self.blocks if block.info.endswith(" printed") for line in block.lines]
        return [line for line in shown if line]

    def anchors(self) -> set[str]:
        """Return the names by which the headings are linked to."""
        headings = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def broken_links(self) -> list[str]:
        """Return the links to pages, files and headings of this project that lead nowhere."""
        links = re.findall(r"\]\(([^) ]+)\)", re.sub(r"`[^`]*`", "", self.prose))
        return [link for link in links if not re.match("https?:|mailto:", link) and not self._leads(link)]

    def _leads(self, link: str) -> bool:
        file, _, heading = link.partition("#")
        target = self.path.parent / file if file else self.path
        if not target.exists():
            return False
        return not heading or heading in Page(str(target.resolve().relative_to(ROOT))).anchors()

    def missing_files(self) -> list[str]:
        """Return the paths in backquotes that do not exist, from the root or from the page's folder.

        Only those are looked at that begin with a folder of this project.
        """
        paths = re.findall(r"`([A-Za-z_.]+/[A-Za-z0-9_./@-]*)`", self.text)
        own = [path for path in paths if (ROOT / path.split("/")[0]).is_dir()]
        return [path for path in own if not (ROOT / path).exists() and not (self.path.parent / path).exists()]


def all_pages() -> list[str]:
    """Return the names of all pages of the project."""
    hidden_or_built = re.compile(r"(^|/)\.|^target/|^test_output/")
    names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.md")]
    return sorted(name for name in names if not hidden_or_built.search(name))
