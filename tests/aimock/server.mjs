// aimock (npm @copilotkit/aimock), somebody else's encoder of four wire formats, answering with legal moves.
//
// The move is read out of the prompt: the numbers after "Legal moves ...:", on that line or on the lines below
// it. Which one is taken depends on the prompt's text alone, so a duel against this server is always the same.
// A prompt without that list gets an answer of prose. Words in angle brackets ask for trouble: see TROUBLE.
//
// run in a folder whose node_modules has the package:  node server.mjs [PORT]     prints {"url": ...} when up
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.cwd()}/x.js`);
const { LLMock } = await import(pathToFileURL(require.resolve("@copilotkit/aimock")).href);
const mock = new LLMock({ port: Number(process.argv[2] || 0), logLevel: "silent" });

const text = (content) => (typeof content === "string" ? content : content.map((part) => part.text ?? "").join(""));
const prompt = (request) => text(request.messages.findLast((message) => message.role === "user").content);
const asks = (word) => ({ predicate: (request) => prompt(request).includes(word) });

function legal(words) {
  const lines = words.split(/\r?\n/);
  const heading = lines.findLastIndex((line) => /legal moves/i.test(line));
  if (heading < 0) return [];
  const beside = numbers(lines[heading].split(":").slice(1).join(":"));
  if (beside.length) return beside;
  const below = lines.slice(heading + 1);
  const first = below.findIndex((line) => line.trim());
  const end = below.findIndex((line, at) => at > first && !line.trim());
  return below.slice(first, end < 0 ? undefined : end).flatMap(numbers);
}

// "1 2 3", "1, 2, 3", "0: a1" and "0=a1 5=pass": a number that begins an item, not the digits of its notation
const numbers = (line) => [...line.matchAll(/(?:^|[\s,])(\d+)(?=[\s,:=]|$)/g)].map((found) => Number(found[1]));

function pick(words, moves) {
  let hash = 2166136261;
  for (const char of words) hash = Math.imul(hash ^ char.codePointAt(0), 16777619) >>> 0;
  return moves[hash % moves.length];
}

const usage = (words) => {
  const prompt_tokens = Math.ceil(words.length / 3);
  return { prompt_tokens, completion_tokens: 40, total_tokens: prompt_tokens + 40 };
};

const error = (status, type, more = {}) => ({ error: { message: `aimock ${status}`, type }, status, ...more });
const TROUBLE = [
  ["<429>", error(429, "rate_limit_error", { retryAfter: 7 })],
  ["<401>", error(401, "authentication_error")],
  ["<404>", error(404, "not_found_error")],
  ["<500>", error(500, "api_error")],
  ["<529>", error(529, "overloaded_error")],
  ["<filtered>", { content: "I cannot help with that.", finishReason: "content_filter" }],
  ["<length>", { content: '{"rationale": "cut of', finishReason: "length" }],
  ["<malformed>", { content: "never sent" }, { chaos: { malformedRate: 1 } }],
  ["<cut>", { content: "never sent" }, { chaos: { disconnectRate: 1 } }],
  ["<hang>", { content: "too late" }, { chaos: { latencyMs: 5000 } }],
];
for (const [word, response, options] of TROUBLE) mock.on(asks(word), response, options);

mock.on({ predicate: () => true }, (request) => {
  const words = prompt(request);
  const moves = legal(words);
  if (!moves.length) return { content: "I see no list of legal moves.", usage: usage(words) };
  const action = pick(words, moves);
  const answer = { rationale: `aimock takes ${action} of ${moves.length} moves`, action };
  return { content: JSON.stringify(answer), reasoning: `aimock thinks of ${moves.join(" ")}`, usage: usage(words) };
});

await mock.start();
console.log(JSON.stringify({ url: mock.url }));
