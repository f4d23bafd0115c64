"""A soak's samples as one SVG: panels over the same minutes, faults as marks across all of them."""

from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, RIGHT, GAP, TOP = 1100, 150, 70, 190, 46, 60
COLOURS = ("#1f5fa8", "#c2571a", "#3b7d3b", "#7a3e9d", "#a02c2c", "#5b5b5b")


def _scale(value):
    """The next of 1, 2, 5 × 10^n above a value: the top of an axis."""
    top = 1e-6
    while True:
        for step in (1, 2, 5):
            if top * step >= value:
                return top * step
        top *= 10


def _text(x, y, text, size=12, anchor="start", colour="#222"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">'
            f"{escape(text)}</text>")


def _panel(top, title, unit, lines, end):
    """`lines`: name -> [(second, value)]; a gap in a line is a value of None."""
    most = max((v for points in lines.values() for _, v in points if v is not None), default=1)
    high = _scale(max(most, 1e-6))
    out = [_text(LEFT, top - 8, f"{title}, {unit}", 13)]
    for part in (0, 0.5, 1):
        y = top + PANEL * (1 - part)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(_text(LEFT - 6, y + 4, f"{high * part:g}", 11, "end"))
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path, pen = "", "M"
        for second, value in points:
            if value is None:
                pen = "M"
                continue
            x = LEFT + (WIDTH - LEFT - RIGHT) * second / end
            path += f"{pen}{x:.1f} {top + PANEL * (1 - value / high):.1f}"
            pen = "L"
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        out.append(_text(WIDTH - RIGHT + 10, top + 14 + 16 * number, name, 12, colour=colour))
    return out


def draw(title, panels, marks, end):
    """`panels`: [(title, unit, lines)]; `marks`: [(second, what)]."""
    height = TOP + len(panels) * (PANEL + GAP) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
           f'font-family="DejaVu Sans, sans-serif"><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           _text(LEFT, 24, title, 16)]
    kinds = sorted({what for _, what in marks})
    for number, kind in enumerate(kinds):
        out.append(_text(LEFT + 170 * number, 42, f"{'abcdefghij'[number]} {kind}", 11, colour="#777"))
    for second, what in marks:
        x = LEFT + (WIDTH - LEFT - RIGHT) * second / end
        out.append(f'<path d="M{x:.1f} {TOP}V{height - 30}" stroke="#e3c9a8" stroke-width="0.8"/>')
        out.append(_text(x, height - 18, "abcdefghij"[kinds.index(what)], 9, "middle", "#777"))
    for number, (name, unit, lines) in enumerate(panels):
        out += _panel(TOP + 16 + number * (PANEL + GAP), name, unit, lines, end)
    for minute in range(0, int(end / 60) + 1, max(1, int(end / 600))):
        x = LEFT + (WIDTH - LEFT - RIGHT) * minute * 60 / end
        out.append(_text(x, height - 4, f"{minute} min", 10, "middle", "#777"))
    return "\n".join(out) + "\n</svg>\n"
