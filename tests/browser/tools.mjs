// What the tests in the browser share.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const started = [];
// However this ends: what was started here ends with it.
process.on("exit", () => started.forEach(server => server.kill()));

// Starts the dashboard, on a free port unless told otherwise: its address and its process.
export async function dashboard(program, directory, ...options) {
  const listen = options.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const server = spawn(program, [...listen, "--database", join(directory, "dashboard.db"), ...options],
    { stdio: ["ignore", "ignore", "pipe"] });
  started.push(server);
  const said = [];
  for await (const line of createInterface({ input: server.stderr })) {
    said.push(line);
    const address = /open (http:\S+)\//.exec(line);
    if (!address) continue;
    server.stderr.resume();
    return { url: address[1], server };
  }
  throw new Error("the dashboard did not start:\n" + said.join("\n"));
}

export async function stop(server) {
  server.kill();
  if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
}

export const stopAll = () => Promise.all(started.map(stop));

export async function step(name, work) {
  const result = await work;
  console.log("tests/browser: ok: " + name);
  return result;
}
