"""What is printed: Markdown tables."""
from load import Measure, median_ratio

_HEAD = ("requests/s", "p50 ms", "p99 ms", "p99.9 ms", "gateway µs", "Redis µs", "commands", "in scripts", "wrk",
         "MB", "× requests/s", "× gateway", "× both")


def comparison_table(title: str, labels: list[str], columns: list[list[Measure]]) -> str:
    """A row for each, with the medians of its turns and the first one's ratios to it."""
    rows: list[tuple[str, ...]] = []
    for label, turns in zip(labels, columns):
        median = Measure.median(turns)
        ratios = ("", "", "") if turns is columns[0] else tuple(
            f"{median_ratio(columns[0], turns, of):.2f}"
            for of in (lambda m: m.requests_per_second, lambda m: m.gateway_us, lambda m: m.both_us))
        rows.append((
            label, f"{median.requests_per_second:,.0f}",
            *map(_milliseconds, (median.p50_ms, median.p99_ms, median.p999_ms)),
            f"{median.gateway_us:.1f}", f"{median.redis_us:.1f}", f"{median.commands:.3f}",
            f"{median.calls_in_scripts:.2f}", f"{median.generator:.0%}", f"{median.resident_bytes / 1e6:.0f}", *ratios))
    return table((title, *_HEAD), rows)


def _milliseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], text_columns: int = 1) -> str:
    """The columns after those of text are figures."""
    rule = ("---",) * text_columns + ("---:",) * (len(head) - text_columns)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])
