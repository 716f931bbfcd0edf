"""The pages' one style sheet: system fonts, light and dark, nothing fetched from anywhere."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --card: #fff; --line: #dfe3e8; --text: #1b2330; --quiet: #5b6675; --accent: #1f5fbf;
  --good: #12703a; --good-bg: #dff3e6; --warn: #8a5200; --warn-bg: #fdeecb; --bad: #a8201a; --bad-bg: #fce2e0;
  --mute: #4d5866; --mute-bg: #e8ebef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --card: #1a2029; --line: #2d3643; --text: #e4e9f0; --quiet: #98a4b3; --accent: #7fb2ff;
    --good: #7fdba0; --good-bg: #15351f; --warn: #f3c56b; --warn-bg: #3a2c0d; --bad: #ff9d96; --bad-bg: #431b19;
    --mute: #b3bdc9; --mute-bg: #2a323d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
header { background: var(--card); border-bottom: 1px solid var(--line); }
header > div, main, footer { max-width: 1500px; margin: 0 auto; padding: 0 20px; }
header > div { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 22px; padding-top: 12px; padding-bottom: 12px; }
header strong { font-size: 16px; letter-spacing: -.01em; }
header strong a { color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; }
nav a[aria-current] { color: var(--text); font-weight: 600; }
main { padding-top: 18px; padding-bottom: 30px; }
footer { color: var(--quiet); font-size: 12px; padding-bottom: 24px; }
h1 { font-size: 21px; letter-spacing: -.015em; margin: 6px 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 15px; margin: 26px 0 8px; }
.quiet { color: var(--quiet); }
.mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12px; }
td .mono { white-space: nowrap; }
.small { font-size: 12px; }
.whole { overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px; margin: 0; }
.tile { display: block; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 13px; color: inherit; }
a.tile:hover { border-color: var(--accent); text-decoration: none; }
.tile b { display: block; font-size: 23px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); }
.tile.good b { color: var(--good); } .tile.warn b { color: var(--warn); } .tile.bad b { color: var(--bad); }
.tile.zero b { color: var(--quiet); }
.sheet { background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 8px 12px; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: 12px; font-weight: 600; color: var(--quiet); white-space: nowrap; }
thead th a { color: inherit; }
tbody tr:hover { background: color-mix(in srgb, var(--accent) 5%, transparent); }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.tight { white-space: nowrap; }
td.error { max-width: 300px; overflow-wrap: anywhere; color: var(--bad); }
td.error.quiet { color: var(--quiet); }
.badge, .pill { display: inline-block; border-radius: 4px; white-space: nowrap; background: var(--mute-bg); color: var(--mute); }
.badge { padding: 1px 8px; font-weight: 600; font-size: 12px; }
.pill { padding: 0 6px; font-size: 11px; line-height: 17px; border: 1px solid transparent; }
.pills { display: flex; flex-wrap: wrap; gap: 3px; max-width: 440px; min-width: 170px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 14px 2px 0; }
.legend div { display: flex; gap: 8px; align-items: center; }
.good { background: var(--good-bg); color: var(--good); }
.warn { background: var(--warn-bg); color: var(--warn); }
.bad { background: var(--bad-bg); color: var(--bad); }
.tile.good, .tile.warn, .tile.bad { background: var(--card); color: inherit; }
.ageing { border-color: currentColor; }
.withdrawn { text-decoration: line-through; }
.never, .unavailable { background: none; border: 1px dashed var(--line); }
.unavailable { color: var(--quiet); opacity: .75; }
form { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 12px; align-items: center; }
input, select, button {
  font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: 5px 9px;
}
input[type=search] { flex: 1 1 240px; max-width: 430px; }
button { cursor: pointer; }
.pages { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: baseline; justify-content: space-between; margin: 12px 2px; }
.pages span + span { display: flex; gap: 14px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 18px; margin: 0; padding: 12px 14px; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.notice { background: var(--bad-bg); color: var(--bad); border-radius: 8px; padding: 9px 14px; }
.empty { padding: 26px; text-align: center; color: var(--quiet); }
"""
