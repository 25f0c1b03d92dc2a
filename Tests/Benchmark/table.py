"""What is printed: Markdown tables, and whether what was wanted holds."""
import dataclasses

from load import Measure, median_ratio

_HEAD = ("", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "resident MB", "× requests/s", "× CPU")


@dataclasses.dataclass(frozen=True)
class Verdict:
    wanted: str
    # None when the peer is missing.
    measured: str | None
    holds: bool

    def __str__(self) -> str:
        if self.measured is None:
            return f"wanted {self.wanted}: not measured, the peer is missing"
        return f"wanted {self.wanted}: measured {self.measured}: {'holds' if self.holds else 'DOES NOT HOLD'}"


def comparison_table(labels: list[str], columns: list[list[Measure]]) -> str:
    """A row for each, with the medians of its turns and the first one's ratios to it."""
    rows: list[tuple[str, ...]] = []
    for label, turns in zip(labels, columns):
        median = Measure.median(turns)
        ratios = ("", "") if turns is columns[0] else (
            f"{median_ratio(columns[0], turns, lambda m: m.requests_per_second):.2f}",
            f"{median_ratio(columns[0], turns, lambda m: m.cpu_us):.2f}")
        rows.append((
            label, f"{median.requests_per_second:,.0f}", f"{median.p50_ms:.2f}", f"{median.p99_ms:.2f}",
            f"{median.cpu_us:.1f}", f"{median.resident_bytes / 1e6:.0f}", *ratios))
    return table(_HEAD, rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], text_columns: int = 1) -> str:
    """The columns after those of text are figures."""
    rule = ("---",) * text_columns + ("---:",) * (len(head) - text_columns)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])
