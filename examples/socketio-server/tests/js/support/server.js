// Starts the server's program: `SERVER_COMMAND`, or what `cargo build --release` makes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { withPatience } from "./patience.js";

const BUILT = fileURLToPath(new URL("../../../../../target/release/socketio-server", import.meta.url));
const COMMAND = process.env.SERVER_COMMAND ?? BUILT;

const PATIENCE = 10_000;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts a server, and waits until it listens. Without a port among the flags it takes a free one. */
export async function startServer(...flags) {
  if (!flags.includes("--port")) flags.push("--port", "0");
  const child = spawn(COMMAND, flags, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  const exited = once(child, "exit").finally(() => running.delete(child));
  const failed = exited.then(([code]) => Promise.reject(new Error(`the server exited with ${code}`)));
  const url = await withPatience(Promise.race([firstUrl(child), failed]), "the server's address", PATIENCE);
  return {
    url,
    port: new URL(url).port,
    /** Ends it as Ctrl-C does, or with another signal, and waits until it is gone. */
    async stop(signal = "SIGINT") {
      child.kill(signal);
      const [code] = await withPatience(exited, `the server's end by ${signal}`, PATIENCE);
      return code;
    },
  };
}

async function firstUrl(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error("the server does not say where it listens");
}
