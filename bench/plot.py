"""plot.py - bars as SVG, with nothing but strings: one panel a test, one bar a system, the longest first."""
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR = 760, 230, 17
COLOURS = {"reeve": "#1f6f8b", "durable": "#7a9e7e", "other": "#c9c9c9"}


def text(x, y, words, size=12, anchor="start", weight="normal"):
    return '<text x="%d" y="%d" font-size="%d" text-anchor="%s" font-weight="%s">%s</text>' % (x, y, size, anchor, weight, escape(words))


def panel(y, title, bars):
    """bars: (name, kind, value). The lines, and where the next panel begins."""
    out, top = [text(8, y + 24, title, 14, weight="bold")], max(v for _, _, v in bars)
    y += 34
    for name, kind, value in sorted(bars, key=lambda b: -b[2]):
        length = max(1, round((WIDTH - LABEL - 90) * value / top))
        out.append(text(LABEL - 6, y + 12, name, anchor="end"))
        out.append('<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>' % (LABEL, y, length, BAR - 4, COLOURS[kind]))
        out.append(text(LABEL + length + 5, y + 12, "{:,.0f}".format(value), 11))
        y += BAR
    return out, y


def bars(path, heading, panels):
    """panels: (title, bars). Writes the picture."""
    y, lines = 44, [text(8, 22, heading, 16, weight="bold"),
                    text(8, 40, "blue: Reeve, on disk when acknowledged; green: others of which that is true; grey: others", 11)]
    for title, these in panels:
        more, y = panel(y, title, these)
        lines += more
    with open(path, "w", encoding="utf-8") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" fill="#222">\n'
                '<rect width="100%%" height="100%%" fill="#fff"/>\n%s\n</svg>\n' % (WIDTH, y + 16, "\n".join(lines)))
