// uPlot, as a sparkline without axes and as the one chart with them. Colours are read from the page's own variables each
// time it draws, so a change of theme needs a redraw alone.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

const kSeconds = 60;

const cssColour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// One value a second, padded on the left: the newest is at 0, the oldest at -59.
const kTimes = Array.from({ length: kSeconds }, (_, i) => i - kSeconds + 1);
export function lastMinute(rates: number[]): (number | null)[] {
  const newest = rates.slice(-kSeconds);
  return [...Array.from({ length: kSeconds - newest.length }, () => null), ...newest];
}

// Makes the plot when the element is there, keeps its width, feeds it, and redraws it when the theme changes.
function usePlot(options: (width: number) => uPlot.Options, data: uPlot.AlignedData, shape: string): { current: HTMLDivElement | null } {
  const element = useRef<HTMLDivElement | null>(null);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    const host = element.current;
    if (!host) return undefined;
    const made = new uPlot(options(Math.max(40, host.clientWidth)), data, host);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(40, host.clientWidth), height: made.height }));
    watch.observe(host);
    const redraw = (): void => made.redraw(false);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("tidemark-theme", redraw);
    scheme.addEventListener("change", redraw);
    return () => {
      watch.disconnect();
      removeEventListener("tidemark-theme", redraw);
      scheme.removeEventListener("change", redraw);
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);
  return element;
}

const fromZero: uPlot.Range.Function = (_plot, _min, max) => [0, Math.max(1, (max || 0) * 1.15)];

export function Sparkline({ rates, label }: { rates: number[]; label: string }): JSX.Element {
  const element = usePlot(
    (width) => ({
      width, height: 40, padding: [3, 0, 0, 0],
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [{ show: false }, { show: false }],
      legend: { show: false }, cursor: { show: false },
      series: [{}, { stroke: () => cssColour("--accent"), fill: () => cssColour("--accent-wash"), width: 1.5, points: { show: false } }],
    }),
    [kTimes, lastMinute(rates)], "spark",
  );
  return <div class="sparkline" ref={element} role="img" aria-label={label} />;
}

export const kSeriesColours = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const kDashes = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2], [10, 4]];

export function RateChart({ series, label }: { series: { name: string; rates: number[] }[]; label: string }): JSX.Element {
  const axis = (size: number, values: uPlot.Axis.Values): uPlot.Axis => ({
    size, values, font: "11px system-ui, sans-serif", stroke: () => cssColour("--ink-dim"), gap: 4,
    grid: { stroke: () => cssColour("--line"), width: 1 }, ticks: { show: false },
  });
  const element = usePlot(
    (width) => ({
      width, height: 168, padding: [8, 16, 0, 0],
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [{ ...axis(22, (_plot, splits) => splits.map((at) => (at === 0 ? "now" : `${at} s`))), incrs: [10, 15, 30] }, axis(44, (_plot, splits) => splits.map(String))],
      legend: { show: false }, cursor: { show: false },
      series: [{}, ...series.map((_, i): uPlot.Series => ({
        stroke: () => cssColour(kSeriesColours[i % kSeriesColours.length] ?? "--accent"), width: 1.75,
        dash: kDashes[i % kDashes.length] ?? [], points: { show: false },
      }))],
    }),
    [kTimes, ...series.map(({ rates }) => lastMinute(rates))], series.map(({ name }) => name).join(),
  );
  return <div class="rate-chart" ref={element} role="img" aria-label={label} />;
}
