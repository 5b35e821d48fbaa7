"""Horizontal bars with their values, and an interval where there is one."""

from html import escape

from zoo.reports.figure import Figure, Table, shown

WIDTH, ROW = 720, 26


def bar_chart(
    bars: dict[str, float], intervals: dict[str, tuple[float, float]] | None = None, caption: str = ""
) -> Figure:
    """One bar a name, from zero; `intervals` are drawn as lines with their ends."""
    intervals = intervals or {}
    left = 14 + 7 * max(len(name) for name in bars)
    ends = [*bars.values(), *(end for both in intervals.values() for end in both), 0.0]
    low, high = min(ends), max(ends)
    scale = (WIDTH - left - 90) / ((high - low) or 1)
    zero = left - low * scale
    body = []
    for i, (name, value) in enumerate(bars.items()):
        y = 6 + i * ROW
        x, width = min(zero, zero + value * scale), abs(value) * scale
        body.append(f'<text class="tick" x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        body.append(f'<rect class="bar" x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="{ROW - 8}" rx="2"/>')
        text = shown(float(value))
        end = max(zero, zero + value * scale)
        if name in intervals:
            a, b = (zero + one * scale for one in intervals[name])
            body.append(f'<line class="axis" x1="{a:.1f}" x2="{b:.1f}" y1="{y + 9}" y2="{y + 9}" stroke-width="2"/>')
            text += f" ({shown(float(intervals[name][0]))} to {shown(float(intervals[name][1]))})"
            end = max(end, b)
        body.append(f'<text class="tick" x="{end + 6:.1f}" y="{y + 14}">{text}</text>')
    svg = f'<svg viewBox="0 0 {WIDTH} {ROW * len(bars) + 8}" role="img" aria-label="bars">{"".join(body)}</svg>'
    rows = [[name, value, *intervals.get(name, ("", ""))] for name, value in bars.items()]
    return Figure(svg, caption, Table(["name", "value", "low", "high"], rows))
