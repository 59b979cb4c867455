// Every element with data-chart becomes a stacked bar chart. The attribute holds what usage/charts.py makes:
// {"unit": "usd" | "count", "labels": […], "series": [{"name", "data": […]}]}.
//
// Drawn as SVG with text tooltips: the strict content security policy refuses the styles that HTML tooltips set.

const charts = new Map();

const formats = {
  usd: (value) => {
    const digits = value && Math.abs(value) < 0.1 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    return value.toLocaleString("en-US", { style: "currency", currency: "USD", ...digits });
  },
  count: (value) => value.toLocaleString("en-US"),
};
const axisFormats = {
  usd: (value) => value.toLocaleString("en-US", { style: "currency", currency: "USD", minimumFractionDigits: 0, maximumSignificantDigits: 4 }),
  count: (value) => value.toLocaleString("en-US", { notation: "compact" }),
};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function optionOf({ unit, labels, series }) {
  const text = colour("--text-muted");
  const line = colour("--line");
  return {
    animation: false,
    aria: { enabled: true },
    color: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--chart-${number}`)),
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { top: 16, right: 8, bottom: 40, left: 8, containLabel: true },
    legend: { bottom: 0, type: "scroll", icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: text }, pageTextStyle: { color: text }, pageIconColor: text },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      axisPointer: { type: "shadow" },
      backgroundColor: colour("--surface"),
      borderColor: line,
      textStyle: { color: colour("--text"), fontSize: 12 },
      valueFormatter: formats[unit],
      order: "valueDesc",
    },
    xAxis: { type: "category", data: labels, axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: text, hideOverlap: true } },
    yAxis: { type: "value", axisLabel: { color: text, formatter: axisFormats[unit] }, splitLine: { lineStyle: { color: line } } },
    series: series.map(({ name, data }) => ({ name, data, type: "bar", stack: "all", barMaxWidth: 36 })),
  };
}

function draw(element) {
  const chart = charts.get(element) ?? echarts.init(element, null, { renderer: "svg" });
  charts.set(element, chart);
  chart.setOption(optionOf(JSON.parse(element.dataset.chart)), true);
}

function drawAll() {
  for (const [element, chart] of charts) {
    if (element.isConnected) continue;
    resizes.unobserve(element);
    chart.dispose();
    charts.delete(element);
  }
  for (const element of document.querySelectorAll("[data-chart]")) {
    draw(element);
    resizes.observe(element);
  }
}

const resizes = new ResizeObserver((entries) => {
  for (const { target } of entries) charts.get(target)?.resize();
});

drawAll();
document.addEventListener("htmx:afterSettle", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
