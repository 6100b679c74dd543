// Real clients of the Model Context Protocol against a running archive: every mode, over HTTP and stdio, lists and calls every tool.
// usage: node clients.mjs URL TOKEN ARCHCTL ARCHIVE    (run in the folder of tests/npm's packages)
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import assert from "node:assert/strict";

const [url, token, archctl, archive] = process.argv.slice(2);
const tools = ["search_mail", "count_by", "get_thread", "get_message", "get_attachment_text", "archive_status"];
const info = { name: "archive-test", version: "1.0.0" };
const overHttp = (Transport) => new Transport(new URL("/mcp", url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
const overStdio = (Transport) => new Transport({ command: archctl, args: ["--archive", archive, "mcp"], stderr: "inherit" });

const runs = [];
for (const [name, options] of [
  ["client legacy", {}],
  ["client auto", { versionNegotiation: { mode: "auto" } }],
  ["client pinned 2026-07-28", { versionNegotiation: { mode: { pin: "2026-07-28" } } }],
]) {
  runs.push([`${name}, http`, () => new ClientV2(info, options), () => overHttp(HttpV2)]);
  runs.push([`${name}, stdio`, () => new ClientV2(info, options), () => overStdio(StdioV2)]);
}
runs.push(["sdk, http", () => new ClientV1(info), () => overHttp(HttpV1)]);
runs.push(["sdk, stdio", () => new ClientV1(info), () => overStdio(StdioV1)]);

async function exercise(client) {
  const listed = await client.listTools();
  assert.deepEqual(listed.tools.map((tool) => tool.name), tools);
  // The clients check each answer against its output schema and throw when it does not hold.
  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    assert.ok(!result.isError, JSON.stringify(result));
    assert.equal(result.content.length, 1);
    return result.structuredContent;
  };
  const found = await call("search_mail", { query: "has:attachment meursault", limit: 5 });
  assert.ok(found.total > 0 && found.total_exact);
  const id = found.hits[0].cite;
  await call("count_by", { by: "month", query: "meursault" });
  const thread = await call("get_thread", { id });
  assert.ok(thread.messages.length >= 2);
  const message = await call("get_message", { id, headers: "all" });
  const part = message.parts.find((each) => each.filename);
  const text = await call("get_attachment_text", { id, part: part.part });
  assert.match(text.text.value, /meursault/);
  const status = await call("archive_status", {});
  assert.ok(status.messages > 0);
  const wrong = await client.callTool({ name: "search_mail", arguments: { query: "(" } });
  assert.ok(wrong.isError);
  assert.match(wrong.content[0].text, /^bad_query: /);
}

let failed = 0;
for (const [name, makeClient, makeTransport] of runs) {
  const client = makeClient();
  try {
    await client.connect(makeTransport());
    await exercise(client);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.stack}`);
  } finally {
    await client.close().catch(() => {});
  }
}
console.log(`${runs.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
