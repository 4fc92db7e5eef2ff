// Stage 3, Node: draws the most used words as a bar chart.
//
// From the job:  most_used, encoding
// Into the job:  chart (SVG text; colours follow the page it is put into, through --bar and currentColor)

import { setTimeout as pause } from "node:timers/promises";
import { Client, Worker } from "manyhands";

const PACE_MS = Number(process.env.PACE_MS ?? 0);
const WIDTH = 380;
const ROW = 24;
const LABEL = 122;
const COUNT = 44;
const LONGEST_LABEL = 17;

const client = new Client();
const worker = new Worker(client, { queues: ["draw"] });

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);

const shorten = (word) => {
  const letters = [...word];
  return letters.length > LONGEST_LABEL ? `${letters.slice(0, LONGEST_LABEL - 1).join("")}…` : word;
};

function bar({ word, times }, index, most) {
  const middle = index * ROW + ROW / 2;
  const length = Math.max(2, Math.round(((WIDTH - LABEL - COUNT) * times) / most));
  return `<g><title>${escaped(word)}: ${times}</title>
<text x="${LABEL - 10}" y="${middle}" text-anchor="end" dominant-baseline="central">${escaped(shorten(word))}</text>
<rect x="${LABEL}" y="${middle - 7}" width="${length}" height="14" rx="3" fill="var(--bar, #3b7dd8)"/>
<text x="${LABEL + length + 8}" y="${middle}" dominant-baseline="central" opacity="0.65">${times}</text></g>`;
}

function chart(words, note) {
  const height = Math.max(words.length, 1) * ROW;
  const label = words.length > 0 ? "The most used words, as bars" : note;
  const body =
    words.length > 0
      ? words.map((word, index) => bar(word, index, words[0].times)).join("\n")
      : `<text x="${WIDTH / 2}" y="${height / 2}" text-anchor="middle" dominant-baseline="central" opacity="0.65">${note}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}" font-family="system-ui, sans-serif" font-size="13" fill="currentColor">
${body}
</svg>`;
}

const NOTES = { binary: "a binary file: no words to count", empty: "an empty file" };

worker.perform("document", async (job) => {
  await pause(PACE_MS);
  const { most_used: words, encoding, journey } = job.data;
  const step = { stage: "draw", language: `Node ${process.versions.node}`, pid: process.pid };
  job.data = { ...job.data, chart: chart(words, NOTES[encoding] ?? "no words"), journey: [...journey, step] };
  return { bars: words.length };
});

await worker.run();
client.close();
