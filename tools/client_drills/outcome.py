"""What a drill has found: figures to be read, and whatever is off."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """The result of one drill."""

    name: str
    figures: list[tuple[str, str]] = field(default_factory=list)
    """What was looked at, and what it was."""
    findings: list[str] = field(default_factory=list)
    """What is not as it should be; empty: all well."""

    def note(self, what: str, was: object) -> None:
        """Note a figure."""
        self.figures.append((what, str(was)))

    def expect(self, holds: object, otherwise: str) -> None:
        """Note a finding unless something holds."""
        if not holds:
            self.findings.append(otherwise)

    def rows(self) -> list[str]:
        """Return the rows of a Markdown table, the verdict first."""
        verdict = "; ".join(self.findings) or "all well"
        return [f"| {self.name} | | {verdict} |", *(f"| | {what} | {was} |" for what, was in self.figures)]
